//! What requests and failures look like, for the API's description. Requests are read by [`crate::job::Job::parse`], which
//! says what is wrong with one; a test compares the two.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, IntoResponses, PartialSchema, ToSchema};

use crate::outcome::Status;

/// Written out here, because what happens to a job knows nothing of HTTP.
impl PartialSchema for Status {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "How a script ended: `ok` with a result, `error` by an exception or without a proper result, else by `timeout`, for \
                 its `memory`, `killed` by a signal or another limit, or `exited` before `main` returned.",
            ))
            .enum_values(Some(Status::ALL.map(Status::as_str)))
            .into()
    }
}

impl ToSchema for Status {}

/// A script to run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecuteRequest {
    /// Python source that defines `main()`.
    #[schema(pattern = r"\S", example = "def main():\n    return 2 + 3")]
    pub script: String,
    /// Seconds; lowers the time limit for this script.
    #[schema(exclusive_minimum = 0, required = false, nullable = false, example = 5)]
    pub timeout: Option<f64>,
    /// Keyword arguments: `main(**inputs)`.
    #[schema(required = false, value_type = Object, example = json!({}))]
    pub inputs: Option<BTreeMap<String, serde_json::Value>>,
    /// What the script reads from standard input.
    #[schema(required = false, nullable = false, example = "")]
    pub stdin: Option<String>,
    /// Files in the working directory when the script starts, by their relative names.
    #[schema(required = false, nullable = false, example = json!({ "data.csv": { "text": "n\n1\n" } }))]
    pub files: Option<BTreeMap<String, FileContent>>,
}

/// A script to run. The fields are written out again, because a schema that takes them from elsewhere cannot say that there are
/// no others.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Python source that defines `main()`.
    #[schema(pattern = r"\S", example = "def main():\n    return 2 + 3")]
    pub script: String,
    /// Seconds; lowers the time limit for this script.
    #[schema(exclusive_minimum = 0, required = false, nullable = false, example = 5)]
    pub timeout: Option<f64>,
    /// Keyword arguments: `main(**inputs)`.
    #[schema(required = false, value_type = Object, example = json!({}))]
    pub inputs: Option<BTreeMap<String, serde_json::Value>>,
    /// What the script reads from standard input.
    #[schema(required = false, nullable = false, example = "")]
    pub stdin: Option<String>,
    /// What NaN and infinities in the result become.
    #[schema(required = false, nullable = false, example = "null")]
    pub nan: Option<Nan>,
    /// Files in the working directory when the script starts, by their relative names.
    #[schema(required = false, nullable = false, example = json!({ "data.csv": { "text": "n\n1\n" } }))]
    pub files: Option<BTreeMap<String, FileContent>>,
}

/// A script to look at.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// Python source.
    #[schema(pattern = r"\S", example = "def main():\n    return 2 + 3")]
    pub script: String,
    /// Files that would come with it, as for running it: modules among them are here.
    #[schema(required = false, nullable = false, example = json!({}))]
    pub files: Option<BTreeMap<String, FileContent>>,
}

/// What NaN and infinities in a result become: an error, which is the default, or null.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nan {
    Error,
    Null,
}

/// The content of a file in a request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileContent {
    Text(String),
    Base64(Base64),
}

/// Bytes as base64 (RFC 4648, section 4).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(content_encoding = "base64", pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")]
pub struct Base64(String);

/// Why a request was not answered with a result.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// What is wrong with the request or with the script, or why it cannot be run now.
    pub error: String,
    /// What the script printed until then; empty where nothing ran.
    pub stdout: String,
}

/// How a request may be told from others.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct Identity {
    /// An id of the caller's for the request.
    #[param(rename = "x-request-id", required = false)]
    pub request_id: Option<String>,
    /// W3C Trace Context; its trace id is the request's id if there is no other.
    #[param(required = false)]
    pub traceparent: Option<String>,
}

/// What any endpoint may answer instead.
#[derive(Debug, Serialize, IntoResponses)]
pub enum Refusals {
    /// Something is wrong with the request, or with the script.
    #[response(status = "4XX")]
    Wrong(Refusal),
    /// It cannot be answered now.
    #[response(status = "5XX", headers(("retry-after" = u64, description = "In how many seconds it is worth to try again")))]
    NotNow(Refusal),
}

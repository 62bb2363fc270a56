//! Tells the payloads of invocations apart, and leaves of an HTTP event what the Router has a use for.

use std::net::IpAddr;

use aws_lambda_events::query_map::QueryMap;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::request::LambdaRequest;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::access::address;

/// No front door of Lambda lets a longer path through.
const MAX_PATH: usize = 16 << 10;

/// What an invocation asks for.
#[derive(Debug)]
pub enum Event<'a> {
    /// An HTTP request that some front door of Lambda has taken. It can be converted to a request of `http`.
    Http(Box<LambdaRequest>),
    /// The payload is the request itself.
    Direct(&'a RawValue),
}

/// An HTTP event that no front door of Lambda sends.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error(transparent)]
    Unknown(#[from] serde_json::Error),
    #[error("the event's path is none")]
    Path,
    #[error("the event's body is not valid base64")]
    Base64,
}

/// Reads a payload.
pub fn read(payload: &RawValue) -> Result<Event<'_>, EventError> {
    if !is_http(payload) {
        return Ok(Event::Direct(payload));
    }
    let mut request = without_stage(serde_json::from_str(payload.get())?);
    make_convertible(&mut request)?;
    Ok(Event::Http(Box::new(request)))
}

/// The client's address, as the front door has seen it.
pub fn source(request: &LambdaRequest) -> Option<IpAddr> {
    let text = match request {
        LambdaRequest::ApiGatewayV1(event) => event.request_context.identity.source_ip.as_deref(),
        LambdaRequest::ApiGatewayV2(event) => event.request_context.http.source_ip.as_deref(),
        // The load balancer adds it to what the client has sent.
        LambdaRequest::Alb(event) => {
            let values = event.headers.get_all("x-forwarded-for").iter();
            let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            return address::forwarded(values.iter().map(AsRef::as_ref), 1);
        }
        _ => None,
    };
    text?.parse().ok()
}

/// Whether whoever sent it may take the answer as a stream: a function URL. An HTTP API's events look the same.
pub fn can_be_streamed(request: &LambdaRequest) -> bool {
    matches!(request, LambdaRequest::ApiGatewayV2(_))
}

/// Every HTTP event says where the request came from; a request to the service itself has no such field.
fn is_http(payload: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Event {
        #[serde(rename = "requestContext")]
        request_context: Option<IgnoredAny>,
    }
    // Without the first test a list would do: its first element would be the field.
    payload.get().starts_with('{')
        && serde_json::from_str::<Event>(payload.get()).is_ok_and(|event| event.request_context.is_some())
}

/// The Router knows no stages. `lambda_http` puts an API's stage in front of the path unless an environment variable
/// says otherwise, and HTTP APIs have a named stage there by themselves.
fn without_stage(request: LambdaRequest) -> LambdaRequest {
    match request {
        LambdaRequest::ApiGatewayV1(mut event) => {
            event.request_context.stage = None;
            LambdaRequest::ApiGatewayV1(event)
        }
        LambdaRequest::ApiGatewayV2(mut event) => {
            let prefix = event.request_context.stage.take().map(|stage| format!("/{stage}"));
            let path = event.raw_path.as_deref().zip(prefix).and_then(|(path, prefix)| {
                let rest = path.strip_prefix(&prefix)?;
                rest.starts_with('/').then(|| rest.to_owned())
            });
            event.raw_path = path.or(event.raw_path);
            LambdaRequest::ApiGatewayV2(event)
        }
        other => other,
    }
}

/// `lambda_http` panics about a host, a path or a query that does not fit into a URI, and about a body that is not
/// base64. The Router needs neither host nor query, and a caller has both in his hands: they are left out.
fn make_convertible(request: &mut LambdaRequest) -> Result<(), EventError> {
    match request {
        LambdaRequest::ApiGatewayV1(event) => {
            event.query_string_parameters = QueryMap::default();
            event.multi_value_query_string_parameters = QueryMap::default();
            event.request_context.domain_name = None;
            check(&mut event.headers, event.path.as_deref(), event.body.as_deref(), event.is_base64_encoded)
        }
        LambdaRequest::ApiGatewayV2(event) => {
            event.raw_query_string = None;
            event.query_string_parameters = QueryMap::default();
            event.request_context.domain_name = None;
            check(&mut event.headers, event.raw_path.as_deref(), event.body.as_deref(), event.is_base64_encoded)
        }
        LambdaRequest::Alb(event) => {
            event.query_string_parameters = QueryMap::default();
            event.multi_value_query_string_parameters = QueryMap::default();
            check(&mut event.headers, event.path.as_deref(), event.body.as_deref(), event.is_base64_encoded)
        }
        _ => Ok(()),
    }
}

fn check(headers: &mut HeaderMap, path: Option<&str>, body: Option<&str>, is_base64: bool) -> Result<(), EventError> {
    headers.remove(HOST);
    let path = path.unwrap_or_default();
    if path.len() > MAX_PATH || !(path.is_empty() || path.starts_with('/')) {
        return Err(EventError::Path);
    }
    match body {
        Some(body) if is_base64 && STANDARD.decode(body).is_err() => Err(EventError::Base64),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

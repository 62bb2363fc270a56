//! `GET /openapi.json` and `GET /docs`: the API's description, and pages that show it. Both are in the binary.

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::Number;
use utoipa::OpenApi;
use utoipa::openapi::schema::{Object, Schema};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, RefOr};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::Reply;
use crate::job::Limits;

/// What is said of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(title = "py-executor", description = "Runs untrusted Python scripts.", license(name = "MIT")),
    tags(
        (name = "scripts", description = "Running scripts, and looking at them"),
        (name = "service", description = "The service itself"),
    )
)]
pub struct Api;

/// Where keys are wanted, the description says how to present one.
pub fn with_keys(mut description: Description, are_wanted: bool) -> Description {
    if !are_wanted {
        return description;
    }
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let header = ApiKey::Header(ApiKeyValue::new("X-Api-Key"));
    components.add_security_scheme("key", SecurityScheme::ApiKey(header));
    let either = ["bearer", "key"].map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
    for path in description.paths.paths.values_mut() {
        for operation in [&mut path.get, &mut path.post].into_iter().flatten() {
            operation.security = Some(either.to_vec());
        }
    }
    description
}

/// The limits of requests are the operator's.
pub fn tell_limits(description: &mut Description, limits: Limits) {
    let Some(components) = &mut description.components else { return };
    for (name, schema) in &mut components.schemas {
        let RefOr::T(Schema::Object(request)) = schema else { continue };
        if !name.ends_with("Request") {
            continue;
        }
        if let Some(timeout) = property(request, "timeout") {
            timeout.maximum = Some(Number::Float(limits.timeout.as_secs_f64()));
        }
        if let Some(files) = property(request, "files") {
            files.max_properties = Some(limits.max_files);
        }
    }
}

fn property<'a>(object: &'a mut Object, name: &str) -> Option<&'a mut Object> {
    match object.properties.get_mut(name) {
        Some(RefOr::T(Schema::Object(property))) => Some(property),
        _ => None,
    }
}

/// The two paths. The pages find the description beside themselves, so that it does not matter what an API's stage or a proxy
/// has put in front of the path.
pub fn router<S: Clone + Send + Sync + 'static>(description: &Description) -> Router<S> {
    let text = description.to_json().unwrap_or_default();
    let answer = move || {
        let text = text.clone();
        async move { ([("content-type", "application/json")], text).into_response() }
    };
    // Without a validator elsewhere on the internet, which would be told of this service.
    let pages = SwaggerUi::new("/docs").config(Config::from("../openapi.json").validator_url("none"));
    Router::new().route("/openapi.json", get(answer)).merge(pages).layer(map_response(with_body))
}

/// The pages say nothing about what is not there.
async fn with_body(response: Response) -> Response {
    if response.status() != StatusCode::NOT_FOUND {
        return response;
    }
    Reply::error(StatusCode::NOT_FOUND, "there is no such page; GET /docs/ is the first one").into_response()
}

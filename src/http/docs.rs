//! `GET /openapi.json` and `GET /docs`: the API's description, and pages that show it. Both are in the binary.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;
use utoipa_swagger_ui::{Config, SwaggerUi};

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

/// The two paths. The pages find the description beside themselves, so that it does not matter what an API's stage or a proxy
/// has put in front of the path.
pub fn router<S: Clone + Send + Sync + 'static>(description: &Description) -> Router<S> {
    let text = description.to_json().unwrap_or_default();
    let answer = move || {
        let text = text.clone();
        async move { ([("content-type", "application/json")], text).into_response() }
    };
    let pages = SwaggerUi::new("/docs").config(Config::from("../openapi.json"));
    Router::new().route("/openapi.json", get(answer)).merge(pages)
}

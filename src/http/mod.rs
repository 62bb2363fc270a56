//! The HTTP interface: one Router for both front doors, one file per endpoint. Status codes are known here only.

mod body;
mod execute;
mod health;
mod index;
mod reply;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};

use crate::config::Config;
use crate::executor::Executor;
use crate::job::Limits;
pub use reply::{Reply, ReplyLimit};

/// What the endpoints work with.
pub struct Service {
    pub executor: Executor,
    limits: Limits,
    bodies: body::Reader,
}

impl Service {
    pub fn new(config: &Config, executor: Executor) -> Self {
        Self {
            limits: Limits {
                timeout: config.timeout,
                max_files: config.max_files,
                files_available: executor.has_files(),
            },
            executor,
            bodies: body::Reader::new(config.max_request_bytes),
        }
    }
}

/// The one Router.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", get(index::index))
        .route("/health", get(health::health))
        .route("/execute", post(execute::execute))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .with_state(service)
}

async fn not_found(request: Request<Body>) -> Reply {
    let message = format!("there is nothing at {}; GET / lists the endpoints", request.uri().path());
    body::forget(request.into_body()).await;
    Reply::error(StatusCode::NOT_FOUND, &message)
}

/// The Router adds the `Allow` header.
async fn method_not_allowed(request: Request<Body>) -> Reply {
    let message = format!("{} is not allowed at {}", request.method(), request.uri().path());
    body::forget(request.into_body()).await;
    Reply::error(StatusCode::METHOD_NOT_ALLOWED, &message)
}

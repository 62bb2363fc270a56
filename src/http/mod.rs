//! The HTTP interface: one Router for both front doors, one file per endpoint. Status codes are known here only.

mod body;
mod check;
mod docs;
mod execute;
mod health;
pub mod id;
mod index;
mod packages;
mod reply;
mod run;
pub mod schema;
mod stream;
mod told;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Config;
use crate::executor::Executor;
use crate::job::{Form, Job, Limits};
pub use reply::{Reply, ReplyLimit};

/// What the endpoints work with.
pub struct Service {
    pub executor: Executor,
    limits: Limits,
    told_limits: packages::Limits,
    bodies: body::Reader,
}

impl Service {
    pub fn new(config: &Config, executor: Executor) -> Self {
        Self {
            executor,
            limits: Limits {
                timeout: config.timeout,
                max_files: config.max_files,
                max_file_bytes: config.max_file_bytes,
            },
            told_limits: packages::Limits::new(config),
            bodies: body::Reader::new(config.max_request_bytes),
        }
    }

    /// Reads a request. The body's place in the account of all bodies is to be kept as long as the job is there.
    async fn job(&self, request: Request<Body>, form: Form) -> Result<(Job, impl Send + 'static), Reply> {
        let body = self.bodies.read(request).await?;
        let job = Job::parse(&body.bytes, form, self.limits)
            .map_err(|error| Reply::error(StatusCode::BAD_REQUEST, &error.to_string()))?;
        Ok((job, body.forget_bytes()))
    }
}

/// The one Router.
pub fn router(service: Arc<Service>) -> Router {
    let (router, mut description) = OpenApiRouter::with_openapi(docs::Api::openapi())
        .routes(routes!(index::index))
        .routes(routes!(health::health))
        .routes(routes!(execute::execute))
        .routes(routes!(run::run))
        .routes(routes!(check::check))
        .routes(routes!(packages::packages))
        .split_for_parts();
    docs::tell_limits(&mut description, service.limits);
    router
        .merge(docs::router(&description))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(middleware::from_fn(id::identify))
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

//! `GET /`: what this is, for whoever finds it.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::schema::Refusals;

/// What this is.
#[derive(Serialize, ToSchema)]
struct Index {
    service: &'static str,
    version: &'static str,
    description: &'static str,
    #[schema(value_type = Vec<Endpoint>)]
    endpoints: [Endpoint; 9],
}

#[derive(Serialize, ToSchema)]
struct Endpoint {
    method: &'static str,
    path: &'static str,
    purpose: &'static str,
}

const INDEX: Index = Index {
    service: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    description: env!("CARGO_PKG_DESCRIPTION"),
    endpoints: [
        Endpoint { method: "POST", path: "/execute", purpose: "run a script; body {\"script\": \"def main(): ...\"}" },
        Endpoint {
            method: "POST",
            path: "/v1/run",
            purpose: "the same, and be told everything: files, usage, tracebacks",
        },
        Endpoint { method: "POST", path: "/v1/check", purpose: "look at a script without running it" },
        Endpoint { method: "GET", path: "/v1/packages", purpose: "what is installed, and the limits in force" },
        Endpoint { method: "GET", path: "/openapi.json", purpose: "the description of this API" },
        Endpoint { method: "GET", path: "/docs", purpose: "the same as pages" },
        Endpoint { method: "GET", path: "/health", purpose: "whether scripts can be run, and what confines them" },
        Endpoint { method: "GET", path: "/metrics", purpose: "the service's numbers, for Prometheus" },
        Endpoint { method: "GET", path: "/", purpose: "this list" },
    ],
};

#[utoipa::path(
    get,
    path = "/",
    tag = "service",
    summary = "What this is",
    responses(
        (status = 200, description = "The service and its endpoints", body = Index),
        Refusals,
    )
)]
pub async fn index() -> Reply {
    Reply::json(StatusCode::OK, &INDEX)
}

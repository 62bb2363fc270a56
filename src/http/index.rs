//! `GET /`: what this is, for whoever finds it.

use axum::http::StatusCode;
use serde::Serialize;

use super::Reply;

#[derive(Serialize)]
struct Index {
    service: &'static str,
    version: &'static str,
    description: &'static str,
    endpoints: [Endpoint; 3],
}

#[derive(Serialize)]
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
        Endpoint { method: "GET", path: "/health", purpose: "whether scripts can be run, and what confines them" },
        Endpoint { method: "GET", path: "/", purpose: "this list" },
    ],
};

pub async fn index() -> Reply {
    Reply::json(StatusCode::OK, &INDEX)
}

//! `GET /health`: whether scripts can be run, and what confines them on this host.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::{Reply, Service};
use crate::sandbox::posture::Posture;

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    python: Option<String>,
    #[serde(flatten)]
    posture: &'a Posture,
}

pub async fn health(State(service): State<Arc<Service>>) -> Reply {
    let python = service.executor.python();
    let posture = service.executor.posture();
    let (code, status) = match python {
        None => (StatusCode::SERVICE_UNAVAILABLE, "no script can be run at the moment"),
        Some(_) if posture.broken().is_empty() => (StatusCode::OK, "every promise is kept"),
        Some(_) => (StatusCode::OK, "not every promise is kept"),
    };
    Reply::json(code, &Health { status, python, posture })
}

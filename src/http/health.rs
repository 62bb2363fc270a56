//! `GET /health`: whether scripts can be run, and what confines them on this host.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Refusals;
use super::{Reply, Service};
use crate::sandbox::posture::Posture;

/// Whether scripts can be run, and what confines them.
#[derive(Serialize, ToSchema)]
struct Health<'a> {
    status: &'static str,
    /// Python's version, while scripts can be run.
    python: Option<String>,
    /// Promise by promise, what keeps it on this host.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    posture: &'a Posture,
}

#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    summary = "Whether scripts can be run, and what confines them on this host",
    responses(
        (status = 200, description = "Scripts can be run", body = Health),
        (status = 503, description = "No script can be run at the moment", body = Health),
        Refusals,
    )
)]
pub async fn health(State(service): State<Arc<Service>>) -> Reply {
    let python = service.executor.ready().map(|ready| ready.python);
    let posture = service.executor.posture();
    let (code, status) = match python {
        None => (StatusCode::SERVICE_UNAVAILABLE, "no script can be run at the moment"),
        Some(_) if posture.broken().is_empty() => (StatusCode::OK, "every promise is kept"),
        Some(_) => (StatusCode::OK, "not every promise is kept"),
    };
    Reply::json(code, &Health { status, python, posture })
}

//! `GET /health`: whether scripts can be run, and what confines them on this host.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Refusals;
use super::{Reply, Service};
use crate::sandbox::report::IsolationReport;

/// Whether scripts can be run, and what confines them.
#[derive(Serialize, ToSchema)]
struct Health<'a> {
    status: &'static str,
    /// Cause, while no script can be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cause: Option<String>,
    /// Python's version, while scripts can be run.
    python: Option<String>,
    /// Promise by promise, what keeps it on this host.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    posture: &'a IsolationReport,
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
    service.executor.retry().await;
    let (cause, posture) = (service.executor.trouble(), service.executor.posture());
    let (code, status) = match cause {
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "no script can be run at the moment"),
        None if posture.broken().is_empty() => (StatusCode::OK, "every promise is kept"),
        None => (StatusCode::OK, "not every promise is kept"),
    };
    let python = service.executor.ready().filter(|_| cause.is_none()).map(|ready| ready.python);
    Reply::json(code, &Health { status, cause, python, posture })
}

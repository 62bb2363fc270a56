//! `GET /metrics`: the service's numbers, for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Service;
use super::schema::Refusals;

/// OpenMetrics 1.0, which Prometheus reads since 2.5.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    summary = "The service's numbers, for Prometheus",
    responses(
        (status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text"),
        Refusals,
    )
)]
pub async fn metrics(State(service): State<Arc<Service>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], service.metrics.text(service.vitals()))
}

//! Traces for an OpenTelemetry collector (OTLP over HTTP): a span for each request, below it its phases.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::{Span, Subscriber, warn};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

use super::summary::Summary;

/// Where a collector takes traces (OTLP 1.0, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";

/// A collector that does not answer does not hold up the end of the service, nor, on Lambda, of an invocation.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends spans, in the background.
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Starts a thread, so it has to come after privileges were given up.
    pub fn start(endpoint: &str) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .build()?;
        let resource = Resource::builder().with_service_name(env!("CARGO_PKG_NAME")).build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> OpenTelemetryLayer<S, Tracer> {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer(env!("CARGO_PKG_NAME")))
    }

    /// Sends what has not been sent yet.
    pub fn flush(&self) {
        if let Err(error) = self.0.force_flush() {
            warn!(%error, "traces could not be sent");
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // What cannot be sent now is lost, which is nothing to keep the service for.
        let _ = self.0.shutdown_with_timeout(PATIENCE);
    }
}

/// Makes a request's span a part of the trace that its headers name; says which one that is, or else which one it begins.
pub fn follow(span: &Span, headers: &HeaderMap) -> Option<String> {
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    // A span that nobody wants has no context.
    let _ = span.set_parent(parent);
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// As the semantic conventions for HTTP servers want it.
pub fn describe(span: &Span, summary: &Summary, status: u16) {
    span.context().span().update_name(format!("{} {}", summary.method, summary.endpoint));
    span.set_attribute("http.request.method", summary.method.clone());
    span.set_attribute("http.route", summary.endpoint.clone());
    span.set_attribute("http.response.status_code", i64::from(status));
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

//! What the service says of itself: the log, one line per event on standard error, and [`metrics`].

mod line;
pub mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
pub mod summary;

use std::fmt::Display;
use std::process::ExitCode;

use axum::http::HeaderMap;
use tracing::Span;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};
use line::Lines;
use summary::Summary;

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("EXECUTOR_LOG is not a log filter: {0}")]
    Filter(#[from] ParseError),
    #[cfg(feature = "otlp")]
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// What has to be there as long as something is told.
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    exporter: Option<otlp::Exporter>,
}

impl Telemetry {
    /// Starts logging, and sending traces if there is a collector. May start threads.
    pub fn start(config: &LogConfig) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(&config.filter)?;
        let (lines, text) = match config.format {
            LogFormat::Text => (None, Some(tracing_subscriber::fmt::layer().compact().with_writer(std::io::stderr))),
            LogFormat::Json | LogFormat::CloudWatch | LogFormat::Google => (Some(Lines::new(config)), None),
        };
        let registry = tracing_subscriber::registry().with(filter).with(lines).with(text);
        #[cfg(feature = "otlp")]
        {
            let exporter = config.collector.as_deref().map(otlp::Exporter::start).transpose()?;
            registry.with(exporter.as_ref().map(otlp::Exporter::layer)).init();
            Ok(Self { exporter })
        }
        #[cfg(not(feature = "otlp"))]
        {
            registry.init();
            if config.collector.is_some() {
                tracing::warn!(
                    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this program was built without the feature `otlp`"
                );
            }
            Ok(Self {})
        }
    }

    /// Sends what has not been sent yet: this process may not run for a while.
    pub fn flush(&self) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.exporter {
            exporter.flush();
        }
    }
}

/// The trace that a request's span belongs to, where traces are sent; else the one that the request names.
pub fn follow_trace(span: &Span, headers: &HeaderMap, named: Option<String>) -> Option<String> {
    #[cfg(feature = "otlp")]
    let named = otlp::follow(span, headers).or(named);
    #[cfg(not(feature = "otlp"))]
    let _ = headers;
    if let Some(trace) = &named {
        span.record(line::TRACE, trace);
    }
    named
}

/// Says of a request's span what has become known of it.
pub fn describe_span(span: &Span, summary: &Summary, status: u16) {
    #[cfg(feature = "otlp")]
    otlp::describe(span, summary, status);
    #[cfg(not(feature = "otlp"))]
    let _ = (span, summary, status);
}

/// The end of a program: says what went wrong, in words for whoever started it.
pub fn ended(result: Result<(), impl Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("py-executor: {error}");
            ExitCode::FAILURE
        }
    }
}

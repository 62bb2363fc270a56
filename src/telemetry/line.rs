//! A line of the log as JSON, with the names that a platform gives to its members.

use std::fmt;
use std::io::Write;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use crate::config::{LogConfig, LogFormat};

/// The name by which spans know the trace that a request belongs to.
pub const TRACE: &str = "trace_id";

/// Fields of spans that are not for the log.
const FOR_TRACES: &str = "otel.";

/// Google's name for it ("Link log entries with traces" in the manual of Cloud Logging).
const GOOGLE_TRACE: &str = "logging.googleapis.com/trace";

/// Writes events as lines.
pub struct Lines {
    format: LogFormat,
    project: Option<String>,
}

impl Lines {
    pub fn new(config: &LogConfig) -> Self {
        Self { format: config.format, project: config.project.clone() }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut members = Members::default();
        attributes.record(&mut members);
        span.extensions_mut().insert(members);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(members) = span.extensions_mut().get_mut::<Members>() {
            values.record(members);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Members::begin(self.format, *event.metadata().level());
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(members) = span.extensions().get::<Members>() {
                for (name, value) in members.0.iter().filter(|(name, _)| !name.starts_with(FOR_TRACES)) {
                    line.set(name, value.clone());
                }
            }
        }
        event.record(&mut line);
        line.link(self.format, self.project.as_deref());
        line.write();
    }
}

/// The members of a line, in order.
#[derive(Default)]
pub struct Members(Vec<(&'static str, Value)>);

impl Members {
    /// With when and how bad.
    pub fn begin(format: LogFormat, level: Level) -> Self {
        let mut members = Self::default();
        let (time, severity) = match format {
            LogFormat::Google => ("time", "severity"),
            LogFormat::Json | LogFormat::Text | LogFormat::CloudWatch => ("timestamp", "level"),
        };
        members.set(time, now().into());
        members.set(severity, if format == LogFormat::Google { severity_of(level) } else { level.as_str() }.into());
        members
    }

    pub fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Says of what trace the line is, where the platform wants to hear that in its own way.
    pub fn link(&mut self, format: LogFormat, project: Option<&str>) {
        if format != LogFormat::Google {
            return;
        }
        for (name, value) in &mut self.0 {
            if let (&mut TRACE, Value::String(trace)) = (&mut *name, &mut *value) {
                *name = GOOGLE_TRACE;
                if let Some(project) = project {
                    *trace = format!("projects/{project}/traces/{trace}");
                }
            }
        }
    }

    /// Writes the line at once, so that it is in one piece.
    pub fn write(&self) {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        // Where nobody reads the log any more, there is nobody to tell.
        let _ = std::io::stderr().lock().write_all(&line);
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }
}

/// RFC 3339, UTC.
fn now() -> String {
    let mut text = String::new();
    // A string takes everything.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// LogSeverity of Cloud Logging.
fn severity_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

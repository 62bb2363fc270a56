//! What is logged of a request when it is over: one line, never the script or its output unless the operator asks for them.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tracing::{Level, debug, error, info, warn};

use super::line::{Members, TRACE};
use super::metrics::Vitals;
use crate::config::{LogConfig, LogFormat};
use crate::outcome::Usage;

/// How much of a script and of its output is logged, where that is wanted.
pub const MAX_TEXT: usize = 8 << 10;

/// How much is logged of a name that a client gives to something. What is longer fills the log.
const MAX_NAME: usize = 256;

/// The namespace of the metrics in CloudWatch.
const NAMESPACE: &str = "py-executor";

/// The target of these lines, for filters.
const TARGET: &str = "request";

/// A request that is over.
#[derive(Debug)]
pub struct Summary {
    pub id: String,
    /// That of the Lambda invocation.
    pub invocation: Option<String>,
    pub trace: Option<String>,
    pub method: String,
    /// Its route, not its path, which may be anything.
    pub endpoint: String,
    /// None: its client went away.
    pub status: Option<u16>,
    pub key: Option<String>,
    pub client: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_bytes: usize,
    pub response_bytes: usize,
    pub total: Duration,
    pub job: Option<JobSummary>,
    /// Whether it is asked so often, by probes and the like, that it is of interest to nobody.
    pub is_routine: bool,
}

/// What is logged of a job.
#[derive(Debug, Default)]
pub struct JobSummary {
    /// How it ended, or why it did not begin.
    pub outcome: &'static str,
    pub usage: Option<Usage>,
    /// How long its request took to arrive.
    pub read: Duration,
    pub stdout_bytes: usize,
    pub stderr_bytes: usize,
    /// The script and what it printed, if that is wanted.
    pub texts: Vec<(&'static str, String)>,
}

impl Summary {
    /// Logs it. `state`: how the service is doing, and how many zygotes have come up since that was told last.
    pub fn log(&self, config: &LogConfig, state: impl FnOnce() -> (Vitals, u64)) {
        let level = self.level();
        // The filter is asked with constant levels.
        let is_wanted = match level {
            Level::ERROR => tracing::enabled!(target: TARGET, Level::ERROR),
            Level::WARN => tracing::enabled!(target: TARGET, Level::WARN),
            Level::INFO => tracing::enabled!(target: TARGET, Level::INFO),
            _ => tracing::enabled!(target: TARGET, Level::DEBUG),
        };
        // Metrics are wanted whatever the filter says.
        let has_metrics = config.format == LogFormat::CloudWatch && !self.is_routine;
        if config.format == LogFormat::Text && is_wanted {
            self.log_text(level);
        } else if is_wanted || has_metrics {
            let mut line = self.line(config, level);
            if has_metrics {
                let (vitals, zygote_starts) = state();
                self.embed_metrics(&mut line, vitals, zygote_starts);
            }
            line.write();
        }
    }

    fn level(&self) -> Level {
        match self.status {
            Some(500) => Level::ERROR,
            Some(status) if status == 429 || status > 500 => Level::WARN,
            _ if self.is_routine => Level::DEBUG,
            _ => Level::INFO,
        }
    }

    fn line(&self, config: &LogConfig, level: Level) -> Members {
        let mut line = Members::begin(config.format, level);
        line.set("message", self.title().into());
        line.set("request_id", self.id.as_str().into());
        set_some(&mut line, "requestId", self.invocation.as_deref());
        set_some(&mut line, TRACE, self.trace.as_deref());
        line.link(config.format, config.project.as_deref());
        line.set("endpoint", self.endpoint.as_str().into());
        set_some(&mut line, "key", self.key.as_deref());
        if config.format == LogFormat::Google {
            line.set("httpRequest", self.google());
        } else {
            line.set("method", self.method.as_str().into());
            set_some(&mut line, "status", self.status);
            set_some(&mut line, "client", self.client.map(|address| address.to_string()));
            set_some(&mut line, "user_agent", self.user_agent.as_deref());
            line.set("request_bytes", self.request_bytes.into());
            line.set("response_bytes", self.response_bytes.into());
        }
        line.set("total_ms", milliseconds(self.total));
        if let Some(job) = &self.job {
            job.add_to(&mut line);
        }
        line
    }

    fn title(&self) -> String {
        let status = self.status.map_or_else(|| "client went away".to_owned(), |status| status.to_string());
        let outcome = self.job.as_ref().map_or("", |job| job.outcome);
        format!("{} {} {status} {outcome}", self.method, self.endpoint).trim_end().to_owned()
    }

    /// HttpRequest of Cloud Logging: sizes are strings there, and times have a unit.
    fn google(&self) -> Value {
        let mut request = json!({
            "requestMethod": self.method,
            "requestUrl": self.endpoint,
            "requestSize": self.request_bytes.to_string(),
            "responseSize": self.response_bytes.to_string(),
            "latency": format!("{:.6}s", self.total.as_secs_f64()),
        });
        let client = self.client.map(|address| address.to_string());
        for (name, value) in [
            ("status", self.status.map(Value::from)),
            ("remoteIp", client.map(Value::from)),
            ("userAgent", self.user_agent.as_deref().map(Value::from)),
        ] {
            if let Some(value) = value {
                request[name] = value;
            }
        }
        request
    }

    /// CloudWatch's embedded metric format: the members that the description names become metrics.
    fn embed_metrics(&self, line: &mut Members, vitals: Vitals, zygote_starts: u64) {
        let metric = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
        let directive = |dimensions: Value, metrics: Vec<Value>| json!({ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics });
        let mut directives = vec![
            directive(
                json!(["endpoint", "code"]),
                vec![metric("requests", "Count"), metric("total_ms", "Milliseconds")],
            ),
            directive(
                json!([]),
                vec![
                    metric("zygote_starts", "Count"),
                    metric("jobs_running", "Count"),
                    metric("jobs_waiting", "Count"),
                    metric("workers_parked", "Count"),
                ],
            ),
        ];
        // A dimension's value is a string.
        line.set("code", self.status.map_or_else(|| "none".to_owned(), |status| status.to_string()).into());
        line.set("requests", 1.into());
        line.set("zygote_starts", zygote_starts.into());
        line.set("jobs_running", vitals.running.into());
        line.set("jobs_waiting", vitals.waiting.into());
        line.set("workers_parked", vitals.parked.iter().sum::<usize>().into());
        if let Some(job) = &self.job {
            line.set("jobs", 1.into());
            let mut metrics = vec![metric("jobs", "Count"), metric("read_ms", "Milliseconds")];
            if job.usage.is_some() {
                metrics.extend(["queue_ms", "run_ms", "cpu_ms"].map(|name| metric(name, "Milliseconds")));
                metrics.push(metric("max_rss_bytes", "Bytes"));
            }
            directives.push(directive(json!(["outcome"]), metrics));
        }
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as u64;
        line.set("_aws", json!({ "Timestamp": now, "CloudWatchMetrics": directives }));
    }

    fn log_text(&self, level: Level) {
        let (title, id, total) = (self.title(), self.id.as_str(), self.total);
        let key = self.key.as_deref();
        match level {
            Level::ERROR => error!(target: TARGET, id, key, ?total, "{title}"),
            Level::WARN => warn!(target: TARGET, id, key, ?total, "{title}"),
            Level::INFO => info!(target: TARGET, id, key, ?total, "{title}"),
            _ => debug!(target: TARGET, id, key, ?total, "{title}"),
        }
    }
}

impl JobSummary {
    fn add_to(&self, line: &mut Members) {
        line.set("outcome", self.outcome.into());
        line.set("read_ms", milliseconds(self.read));
        if let Some(usage) = self.usage {
            line.set("queue_ms", milliseconds(usage.queue));
            line.set("run_ms", milliseconds(usage.wall));
            line.set("cpu_ms", milliseconds(usage.cpu));
            line.set("max_rss_bytes", usage.max_rss_bytes.into());
            line.set("stdout_bytes", self.stdout_bytes.into());
            line.set("stderr_bytes", self.stderr_bytes.into());
        }
        for (name, text) in &self.texts {
            line.set(name, text.as_str().into());
        }
    }
}

fn set_some<T: Into<Value>>(line: &mut Members, name: &'static str, value: Option<T>) {
    if let Some(value) = value {
        line.set(name, value.into());
    }
}

/// With microseconds.
fn milliseconds(time: Duration) -> Value {
    ((time.as_secs_f64() * 1e6).round() / 1e3).into()
}

/// The beginning of a text, as far as it is logged.
pub fn beginning(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}

/// A name that a client gives, as far as it is logged.
pub fn name(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_NAME)].to_owned()
}

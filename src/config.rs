//! The settings: environment variables, read once, all faults reported at once. Nothing else reads the environment.

pub mod host;
mod reader;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::access;
use crate::access::rates::Rate;
use crate::sandbox::policy::Weights;
use crate::sandbox::report::{Adjustment, PolicyMode};
use crate::sandbox::{Mechanisms, Policy};
use host::HardLimits;
use reader::Reader;

const MIB: u64 = 1 << 20;

/// One setting, as the table of docs/CONFIGURATION.md lists it.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

/// Every setting with the service's prefix.
#[rustfmt::skip]
pub const SETTINGS: [Setting; 34] = [
    Setting { name: "EXECUTOR_RUNTIME", default: "/opt/runtime", meaning: "directory of the Python runtime (`make layer` builds one)" },
    Setting { name: "EXECUTOR_HOST", default: "0.0.0.0", meaning: "address that the server listens on" },
    Setting { name: "EXECUTOR_API_KEYS", default: "", meaning: "API keys, as `name:sha256hex`, separated by commas (`make key` makes one); with none, and no file of them, whoever reaches the service may run scripts" },
    Setting { name: "EXECUTOR_API_KEYS_FILE", default: "", meaning: "a file of API keys, one in a line; it is read again when it changes" },
    Setting { name: "EXECUTOR_RATE", default: "", meaning: "how often a caller (an API key, or else a client's address) may ask, such as `60/minute` (or `second`, `hour`); more is answered with 429; with none, as often as there is room" },
    Setting { name: "EXECUTOR_RATE_BURST", default: "", meaning: "how many requests a caller may save up; with none, those of one unit of time" },
    Setting { name: "EXECUTOR_TRUSTED_PROXIES", default: "0, on Cloud Run 1", meaning: "proxies in front of the service that add the client's address to `X-Forwarded-For`; with 0 that header is not believed" },
    Setting { name: "EXECUTOR_MAX_CONNECTIONS", default: "1000", meaning: "connections at the same time; beyond them, the one that has been idle for longest is closed" },
    Setting { name: "EXECUTOR_IDLE_SECONDS", default: "620", meaning: "time that a connection may be idle between requests (load balancers expect up to 600 s)" },
    Setting { name: "EXECUTOR_TIMEOUT_SECONDS", default: "30", meaning: "wall-clock limit of a job; a request can only lower it" },
    Setting { name: "EXECUTOR_MEMORY_MB", default: "512", meaning: "memory of a job's whole process tree, MiB" },
    Setting { name: "EXECUTOR_MAX_PROCESSES", default: "128", meaning: "processes and threads of a job, together" },
    Setting { name: "EXECUTOR_MAX_OPEN_FILES", default: "1024", meaning: "open files in each process of a job" },
    Setting { name: "EXECUTOR_SCRATCH_MB", default: "64", meaning: "scratch space of a job (working directory, `/tmp` and `/dev/shm` together), MiB" },
    Setting { name: "EXECUTOR_SCRATCH_FILES", default: "16384", meaning: "files and directories in the scratch space" },
    Setting {
        name: "EXECUTOR_SCRATCH_DIR",
        default: "`/tmp`, or else `/dev/shm` or `/var/tmp`",
        meaning: "directory on the host that scratch spaces lie in, where a job cannot have a file system of its own",
    },
    Setting { name: "EXECUTOR_MAX_STDOUT_BYTES", default: "1048576", meaning: "standard output kept of a job, and standard error likewise" },
    Setting { name: "EXECUTOR_MAX_RESULT_BYTES", default: "5242880", meaning: "size of a result, as JSON" },
    Setting { name: "EXECUTOR_MAX_REQUEST_BYTES", default: "6291456", meaning: "size of a request's body" },
    Setting { name: "EXECUTOR_MAX_FILES", default: "64", meaning: "files that a request may bring, and that an answer may" },
    Setting { name: "EXECUTOR_MAX_FILE_BYTES", default: "8388608", meaning: "size of all files that a request may bring, and of all that an answer may" },
    Setting {
        name: "EXECUTOR_CONCURRENCY",
        default: "the processors",
        meaning: "jobs that run at the same time; while one caller has all these places, one more job runs if its caller has none",
    },
    Setting { name: "EXECUTOR_QUEUE", default: "512", meaning: "jobs that wait for their turn; more are answered with 503" },
    Setting { name: "EXECUTOR_QUEUE_SECONDS", default: "10", meaning: "time a job waits for its turn and a worker before it is answered with 503" },
    Setting { name: "EXECUTOR_SHUTDOWN_GRACE_SECONDS", default: "9", meaning: "time that running jobs get to finish after SIGTERM" },
    Setting { name: "EXECUTOR_PRELOAD", default: "numpy,pandas", meaning: "modules that are imported before a job arrives, separated by commas; with none, common ones of the standard library are not either" },
    Setting { name: "EXECUTOR_ZYGOTE_MAX_JOBS", default: "100000", meaning: "scripts after which the warm Python is replaced by a new one, without a pause; 0 for never (on Lambda never, because the platform renews its environments)" },
    Setting { name: "EXECUTOR_ZYGOTE_MAX_GROWTH_MB", default: "128", meaning: "growth of the warm Python after which it is replaced, MiB" },
    Setting { name: "EXECUTOR_POLICY", default: "strict", meaning: "`strict` refuses to start where a promise cannot be kept, `relaxed` starts and says what is missing" },
    Setting { name: "EXECUTOR_DISABLED_MECHANISMS", default: "", meaning: "mechanisms of the sandbox that are not used, separated by commas, to see what each is good for" },
    Setting { name: "EXECUTOR_STREAM", default: "off", meaning: "`on` where the Lambda function's URL has the invoke mode `RESPONSE_STREAM`: answers are sent as they come; an HTTP API needs a function of its own then" },
    Setting { name: "EXECUTOR_LOG", default: "info", meaning: "what is logged: `error`, `warn`, `info`, `debug`, or a filter of tracing-subscriber" },
    Setting { name: "EXECUTOR_LOG_FORMAT", default: "that of the platform", meaning: "`json`, `text`, `cloudwatch` (default on Lambda; with metrics in the embedded format) or `google` (default on Cloud Run)" },
    Setting { name: "EXECUTOR_LOG_SCRIPTS", default: "off", meaning: "`on` to log scripts and what they print, 8 KiB of each" },
];

/// Former names of settings, which go on working: the old name and the new one.
const RENAMED: [(&str, &str); 6] = [
    ("EXECUTOR_WITHOUT", "EXECUTOR_DISABLED_MECHANISMS"),
    ("EXECUTOR_PROXIES", "EXECUTOR_TRUSTED_PROXIES"),
    ("EXECUTOR_CONNECTIONS", "EXECUTOR_MAX_CONNECTIONS"),
    ("EXECUTOR_RENEW_AFTER", "EXECUTOR_ZYGOTE_MAX_JOBS"),
    ("EXECUTOR_RENEW_MB", "EXECUTOR_ZYGOTE_MAX_GROWTH_MB"),
    ("EXECUTOR_GRACE_SECONDS", "EXECUTOR_SHUTDOWN_GRACE_SECONDS"),
];

/// Settings that have the names which platforms and other programs give them.
const OTHERS: [&str; 3] = ["PORT", "GOOGLE_CLOUD_PROJECT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The service's settings.
#[derive(Debug, Clone)]
pub struct Config {
    pub runtime: PathBuf,
    pub host: IpAddr,
    /// `PORT`, as Cloud Run sets it; 0 for any free port.
    pub port: u16,
    pub access: access::Settings,
    pub connections: usize,
    pub idle: Duration,
    pub timeout: Duration,
    pub policy: Policy,
    pub max_stdout_bytes: usize,
    pub max_result_bytes: usize,
    pub max_request_bytes: usize,
    pub max_files: usize,
    pub max_file_bytes: usize,
    pub concurrency: usize,
    pub queue: usize,
    pub queue_wait: Duration,
    pub grace: Duration,
    pub preload: Vec<String>,
    pub strictness: PolicyMode,
    pub without: Mechanisms,
    /// Whether Lambda expects answers as streams.
    pub stream: bool,
    pub renewal: Renewal,
    pub log: LogConfig,
    /// Settings that the host does not allow as they are, with what is used instead.
    pub adjustments: Vec<Adjustment>,
    /// Settings that were given by a former name, each with its new one.
    pub renamed: Vec<(&'static str, &'static str)>,
}

/// When a zygote is replaced by a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// After so many scripts; 0 for never.
    pub scripts: u64,
    pub growth_bytes: u64,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A filter of tracing-subscriber.
    pub filter: String,
    pub format: LogFormat,
    /// Whether scripts and what they print are logged.
    pub scripts: bool,
    /// The Google Cloud project that traces belong to.
    pub project: Option<String>,
    /// Where an OpenTelemetry collector takes traces, with the feature `otlp`.
    pub collector: Option<String>,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON.
    Json,
    /// For people.
    Text,
    /// JSON as Lambda and CloudWatch read it, metrics included.
    CloudWatch,
    /// JSON as Google Cloud Logging reads it.
    Google,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            "cloudwatch" => Ok(Self::CloudWatch),
            "google" => Ok(Self::Google),
            _ => Err(()),
        }
    }
}

/// What the service runs on, as far as that decides defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    Linux,
    CloudRun,
    Lambda,
}

impl Platform {
    /// By variables that each platform sets, and no tool that imitates it on somebody's machine.
    fn of_this_process() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some();
        if is_set("LAMBDA_TASK_ROOT") {
            Self::Lambda
        } else if is_set("K_SERVICE") {
            Self::CloudRun
        } else {
            Self::Linux
        }
    }

    fn proxies(self) -> u64 {
        u64::from(self == Self::CloudRun)
    }

    fn log_format(self) -> LogFormat {
        match self {
            Self::Linux => LogFormat::Json,
            Self::CloudRun => LogFormat::Google,
            Self::Lambda => LogFormat::CloudWatch,
        }
    }
}

/// What is wrong with the environment: each fault in a line.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the process's environment, and lowers what is above the process's hard limits.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let text = |string: std::ffi::OsString| string.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        let platform = Platform::of_this_process();
        let mut config = Self::from_variables(variables, platform)?;
        host::fit(&mut config, platform, HardLimits::of_this_process()).map_err(|fault| ConfigError(vec![fault]))?;
        Ok(config)
    }

    /// Reads settings from these variables; those without the prefix are not ours and are ignored, but for
    /// some.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
        platform: Platform,
    ) -> Result<Self, ConfigError> {
        let ours = |(name, _): &(String, String)| name.starts_with("EXECUTOR_") || OTHERS.contains(&name.as_str());
        let mut reader = Reader::new(variables.into_iter().filter(ours).collect());
        let renamed = RENAMED.into_iter().filter(|(former, name)| reader.rename(former, name)).collect();
        let processors = std::thread::available_parallelism().map_or(1, |number| number.get() as u64);
        let config = Self {
            runtime: reader.value("EXECUTOR_RUNTIME", "a path", PathBuf::from("/opt/runtime")),
            host: reader.value("EXECUTOR_HOST", "an IP address", IpAddr::from([0, 0, 0, 0])),
            port: reader.value("PORT", "a port number", 8080),
            access: access::Settings {
                keys: reader.keys("EXECUTOR_API_KEYS"),
                keys_file: reader.text("EXECUTOR_API_KEYS_FILE").map(PathBuf::from),
                rate: rate(&mut reader),
                trusted_proxies: reader.number("EXECUTOR_TRUSTED_PROXIES", platform.proxies(), 0..=16) as usize,
            },
            connections: reader.number("EXECUTOR_MAX_CONNECTIONS", 1000, 1..=1 << 20) as usize,
            idle: reader.seconds("EXECUTOR_IDLE_SECONDS", 620.0),
            timeout: reader.seconds("EXECUTOR_TIMEOUT_SECONDS", 30.0),
            policy: Policy {
                mechanisms: Mechanisms::new(),
                memory_bytes: reader.number("EXECUTOR_MEMORY_MB", 512, 64..=1 << 20) * MIB,
                max_processes: reader.number("EXECUTOR_MAX_PROCESSES", 128, 1..=4096),
                max_open_files: reader.number("EXECUTOR_MAX_OPEN_FILES", 1024, 32..=65_536),
                scratch_bytes: reader.number("EXECUTOR_SCRATCH_MB", 64, 1..=1 << 20) * MIB,
                scratch_inodes: reader.number("EXECUTOR_SCRATCH_FILES", 16_384, 16..=1 << 24),
                weights: Weights::default(),
                // A Lambda function's /tmp is its own.
                owns_tmp: platform == Platform::Lambda,
                scratch_parent: directory(&mut reader, "EXECUTOR_SCRATCH_DIR"),
            },
            max_stdout_bytes: reader.bytes("EXECUTOR_MAX_STDOUT_BYTES", 1 << 20),
            max_result_bytes: reader.bytes("EXECUTOR_MAX_RESULT_BYTES", 5 << 20),
            max_request_bytes: reader.bytes("EXECUTOR_MAX_REQUEST_BYTES", 6 << 20),
            max_files: reader.number("EXECUTOR_MAX_FILES", 64, 0..=4096) as usize,
            max_file_bytes: reader.bytes("EXECUTOR_MAX_FILE_BYTES", 8 << 20),
            concurrency: reader.number("EXECUTOR_CONCURRENCY", processors, 1..=1024) as usize,
            queue: reader.number("EXECUTOR_QUEUE", 512, 0..=1 << 20) as usize,
            queue_wait: reader.seconds("EXECUTOR_QUEUE_SECONDS", 10.0),
            grace: reader.seconds("EXECUTOR_SHUTDOWN_GRACE_SECONDS", 9.0),
            preload: reader.modules("EXECUTOR_PRELOAD", "numpy,pandas"),
            strictness: reader.value("EXECUTOR_POLICY", "`strict` or `relaxed`", PolicyMode::Strict),
            without: reader.mechanisms("EXECUTOR_DISABLED_MECHANISMS"),
            stream: reader.switch("EXECUTOR_STREAM"),
            renewal: Renewal {
                scripts: reader.number("EXECUTOR_ZYGOTE_MAX_JOBS", 100_000, 0..=u64::MAX),
                growth_bytes: reader.number("EXECUTOR_ZYGOTE_MAX_GROWTH_MB", 128, 1..=1 << 20) * MIB,
            },
            log: LogConfig {
                filter: reader.value("EXECUTOR_LOG", "a log filter", "info".to_owned()),
                format: reader.value(
                    "EXECUTOR_LOG_FORMAT",
                    "`json`, `text`, `cloudwatch` or `google`",
                    platform.log_format(),
                ),
                scripts: reader.switch("EXECUTOR_LOG_SCRIPTS"),
                project: reader.text("GOOGLE_CLOUD_PROJECT"),
                collector: reader.text("OTEL_EXPORTER_OTLP_ENDPOINT"),
            },
            adjustments: Vec::new(),
            renamed,
        };
        reader.finish().map(|()| config)
    }
}

/// A directory of the host's, by its whole path: the service has no working directory that anybody knows.
fn directory(reader: &mut Reader, name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(reader.text(name)?);
    if !path.is_absolute() {
        reader.fault(format!("{name} must be an absolute path, not `{}`", path.display()));
    }
    Some(path)
}

/// The burst without a rate would do nothing.
fn rate(reader: &mut Reader) -> Option<Rate> {
    let (rate, burst) =
        (reader.optional::<Rate>("EXECUTOR_RATE"), reader.optional::<NonZeroU32>("EXECUTOR_RATE_BURST"));
    if rate.is_none() && burst.is_some() {
        reader.fault("EXECUTOR_RATE_BURST needs EXECUTOR_RATE".to_owned());
    }
    rate.map(|rate| burst.map_or(rate, |burst| rate.with_burst(burst)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_variables(
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            Platform::Linux,
        )
    }

    #[test]
    fn every_setting_is_known_and_has_the_default_that_its_table_says() {
        // Setting each to its documented default must be accepted and change nothing.
        let documented = SETTINGS.iter().filter(|setting| !setting.default.contains(' '));
        let explicit: Vec<_> = documented.map(|setting| (setting.name, setting.default)).collect();
        assert_eq!(format!("{:?}", read(&explicit).unwrap()), format!("{:?}", read(&[]).unwrap()));
    }

    #[test]
    fn every_setting_is_read() {
        for setting in &SETTINGS {
            let error = read(&[(setting.name, "\u{1f40d} no such value")]);
            let accepts_any_text =
                ["EXECUTOR_RUNTIME", "EXECUTOR_LOG", "EXECUTOR_API_KEYS_FILE"].contains(&setting.name);
            assert_eq!(error.is_err(), !accepts_any_text, "{}", setting.name);
        }
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let error = read(&[
            ("EXECUTOR_TIMEOUT_SECONDS", "soon"),
            ("EXECUTOR_MEMORY_MB", "1"),
            ("EXECUTOR_TIMEOUT", "3"),
            ("PORT", "http"),
            ("HOME", "/"),
        ])
        .unwrap_err()
        .to_string();
        let faults: Vec<&str> = error.lines().collect();
        assert_eq!(faults.len(), 4, "{error}");
        assert!(faults[0].starts_with("PORT must be a port number"));
        assert!(faults[1].starts_with("EXECUTOR_TIMEOUT_SECONDS must be a number of seconds"));
        assert!(faults[2].starts_with("EXECUTOR_MEMORY_MB must be a whole number between 64"));
        assert!(faults[3].starts_with("unknown setting EXECUTOR_TIMEOUT;"));
    }

    #[test]
    fn former_names_go_on_working() {
        let config = read(&[("EXECUTOR_CONNECTIONS", "7"), ("EXECUTOR_PROXIES", "2")]).unwrap();
        assert_eq!((config.connections, config.access.trusted_proxies), (7, 2));
        let renamed = [RENAMED[1], RENAMED[2]];
        assert_eq!(config.renamed, renamed);
        for (former, name) in RENAMED {
            assert!(
                SETTINGS.iter().any(|setting| setting.name == name)
                    && !SETTINGS.iter().any(|setting| setting.name == former)
            );
        }
        let error = read(&[("EXECUTOR_CONNECTIONS", "7"), ("EXECUTOR_MAX_CONNECTIONS", "8")]).unwrap_err().to_string();
        assert_eq!(error, "EXECUTOR_CONNECTIONS is a former name of EXECUTOR_MAX_CONNECTIONS; both are set");
    }

    #[test]
    fn nothing_may_be_preloaded() {
        assert!(read(&[("EXECUTOR_PRELOAD", "")]).unwrap().preload.is_empty());
    }
}

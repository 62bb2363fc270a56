//! The settings: environment variables, read once, all faults reported at once. Nothing else reads the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::sandbox::posture::Strictness;
use crate::sandbox::{Mechanism, Mechanisms, Policy};

const MIB: u64 = 1 << 20;

/// What epoll keeps for each descriptor that it watches (epoll(7), max_user_watches).
const WATCH_BYTES: u64 = 160;

/// One setting, as the README's table lists it.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

/// Every setting with the service's prefix.
#[rustfmt::skip]
pub const SETTINGS: [Setting; 22] = [
    Setting { name: "EXECUTOR_RUNTIME", default: "/opt/runtime", meaning: "directory of the Python runtime (`make layer` builds one)" },
    Setting { name: "EXECUTOR_HOST", default: "0.0.0.0", meaning: "address that the server listens on" },
    Setting { name: "EXECUTOR_TIMEOUT_SECONDS", default: "30", meaning: "wall-clock limit of a job; a request can only lower it" },
    Setting { name: "EXECUTOR_MEMORY_MB", default: "512", meaning: "memory of a job's whole process tree, MiB" },
    Setting { name: "EXECUTOR_MAX_PROCESSES", default: "64", meaning: "processes and threads of a job, together" },
    Setting { name: "EXECUTOR_MAX_OPEN_FILES", default: "1024", meaning: "open files in each process of a job" },
    Setting { name: "EXECUTOR_SCRATCH_MB", default: "64", meaning: "scratch space of a job (working directory, `/tmp` and `/dev/shm` together), MiB" },
    Setting { name: "EXECUTOR_SCRATCH_FILES", default: "16384", meaning: "files and directories in the scratch space" },
    Setting { name: "EXECUTOR_MAX_STDOUT_BYTES", default: "1048576", meaning: "standard output kept of a job, and standard error likewise" },
    Setting { name: "EXECUTOR_MAX_RESULT_BYTES", default: "5242880", meaning: "size of a result, as JSON" },
    Setting { name: "EXECUTOR_MAX_REQUEST_BYTES", default: "6291456", meaning: "size of a request's body" },
    Setting { name: "EXECUTOR_MAX_FILES", default: "64", meaning: "files that a request may bring, and that an answer may" },
    Setting { name: "EXECUTOR_MAX_FILE_BYTES", default: "8388608", meaning: "size of all files that a request may bring, and of all that an answer may" },
    Setting { name: "EXECUTOR_CONCURRENCY", default: "the processors", meaning: "jobs that run at the same time" },
    Setting { name: "EXECUTOR_QUEUE", default: "512", meaning: "jobs that wait for their turn; more are answered with 503" },
    Setting { name: "EXECUTOR_QUEUE_SECONDS", default: "10", meaning: "time a job waits for its turn before it is answered with 503" },
    Setting { name: "EXECUTOR_GRACE_SECONDS", default: "9", meaning: "time that running jobs get to finish after SIGTERM" },
    Setting { name: "EXECUTOR_PRELOAD", default: "numpy,pandas", meaning: "modules that are imported before a job arrives, separated by commas; with none, common ones of the standard library are not either" },
    Setting { name: "EXECUTOR_POLICY", default: "strict", meaning: "`strict` refuses to start where a promise cannot be kept, `relaxed` starts and says what is missing" },
    Setting { name: "EXECUTOR_WITHOUT", default: "", meaning: "mechanisms of the sandbox that are not used, separated by commas, to see what each is good for" },
    Setting { name: "EXECUTOR_STREAM", default: "off", meaning: "`on` where the Lambda function's URL has the invoke mode `RESPONSE_STREAM`: answers are sent as they come; an HTTP API needs a function of its own then" },
    Setting { name: "EXECUTOR_LOG", default: "info", meaning: "what is logged: `error`, `warn`, `info`, `debug`, or a filter of tracing-subscriber" },
];

/// The service's settings.
#[derive(Debug, Clone)]
pub struct Config {
    pub runtime: PathBuf,
    pub host: IpAddr,
    /// `PORT`, as Cloud Run sets it; 0 for any free port.
    pub port: u16,
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
    pub strictness: Strictness,
    pub without: Mechanisms,
    /// Whether Lambda expects answers as streams.
    pub stream: bool,
    pub log: String,
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
    /// Reads the process's environment.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let text = |string: std::ffi::OsString| string.to_string_lossy().into_owned();
        let mut config = Self::from_variables(std::env::vars_os().map(|(name, value)| (text(name), text(value))))?;
        // A Lambda function's /tmp is its own. The variable is set in every function, and by no tool that imitates one
        // on somebody's machine.
        config.policy.owns_tmp = std::env::var_os("LAMBDA_TASK_ROOT").is_some();
        Ok(config)
    }

    /// Reads settings from these variables; those without the prefix, but for `PORT`, are not ours and are ignored.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let ours = |(name, _): &(String, String)| name.starts_with("EXECUTOR_") || name == "PORT";
        let mut reader = Reader { variables: variables.into_iter().filter(ours).collect(), faults: Vec::new() };
        let processors = std::thread::available_parallelism().map_or(1, |number| number.get() as u64);
        let config = Self {
            runtime: reader.value("EXECUTOR_RUNTIME", "a path", PathBuf::from("/opt/runtime")),
            host: reader.value("EXECUTOR_HOST", "an IP address", IpAddr::from([0, 0, 0, 0])),
            port: reader.value("PORT", "a port number", 8080),
            timeout: reader.seconds("EXECUTOR_TIMEOUT_SECONDS", 30.0),
            policy: Policy {
                mechanisms: Mechanisms::new(),
                memory_bytes: reader.number("EXECUTOR_MEMORY_MB", 512, 64..=1 << 20) * MIB,
                max_processes: reader.number("EXECUTOR_MAX_PROCESSES", 64, 1..=4096),
                max_open_files: reader.number("EXECUTOR_MAX_OPEN_FILES", 1024, 32..=65_536),
                scratch_bytes: reader.number("EXECUTOR_SCRATCH_MB", 64, 1..=1 << 20) * MIB,
                scratch_inodes: reader.number("EXECUTOR_SCRATCH_FILES", 16_384, 16..=1 << 24),
                watch_bytes: WATCH_BYTES,
                owns_tmp: false,
            },
            max_stdout_bytes: reader.bytes("EXECUTOR_MAX_STDOUT_BYTES", 1 << 20),
            max_result_bytes: reader.bytes("EXECUTOR_MAX_RESULT_BYTES", 5 << 20),
            max_request_bytes: reader.bytes("EXECUTOR_MAX_REQUEST_BYTES", 6 << 20),
            max_files: reader.number("EXECUTOR_MAX_FILES", 64, 0..=4096) as usize,
            max_file_bytes: reader.bytes("EXECUTOR_MAX_FILE_BYTES", 8 << 20),
            concurrency: reader.number("EXECUTOR_CONCURRENCY", processors, 1..=1024) as usize,
            queue: reader.number("EXECUTOR_QUEUE", 512, 0..=1 << 20) as usize,
            queue_wait: reader.seconds("EXECUTOR_QUEUE_SECONDS", 10.0),
            grace: reader.seconds("EXECUTOR_GRACE_SECONDS", 9.0),
            preload: reader.modules("EXECUTOR_PRELOAD", "numpy,pandas"),
            strictness: reader.value("EXECUTOR_POLICY", "`strict` or `relaxed`", Strictness::Strict),
            without: reader.mechanisms("EXECUTOR_WITHOUT"),
            stream: reader.switch("EXECUTOR_STREAM"),
            log: reader.value("EXECUTOR_LOG", "a log filter", "info".to_owned()),
        };
        reader.finish().map(|()| config)
    }
}

/// Takes variables out one by one and notes what is wrong with each.
struct Reader {
    variables: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Reader {
    fn value<T: std::str::FromStr>(&mut self, name: &str, expected: &str, default: T) -> T {
        let Some(text) = self.variables.remove(name) else { return default };
        text.trim().parse().unwrap_or_else(|_| {
            self.faults.push(format!("{name} must be {expected}, not {text:?}"));
            default
        })
    }

    fn number(&mut self, name: &str, default: u64, range: std::ops::RangeInclusive<u64>) -> u64 {
        let expected = format!("a whole number between {} and {}", range.start(), range.end());
        let number = self.value(name, &expected, default);
        if range.contains(&number) {
            return number;
        }
        self.faults.push(format!("{name} must be {expected}, not {number}"));
        default
    }

    fn bytes(&mut self, name: &str, default: u64) -> usize {
        self.number(name, default, 1024..=1 << 30) as usize
    }

    fn switch(&mut self, name: &str) -> bool {
        match self.variables.remove(name).as_deref().map(str::trim) {
            None | Some("off") => false,
            Some("on") => true,
            Some(other) => {
                self.faults.push(format!("{name} must be `on` or `off`, not {other:?}"));
                false
            }
        }
    }

    fn seconds(&mut self, name: &str, default: f64) -> Duration {
        const EXPECTED: &str = "a number of seconds, more than 0 and at most 3600";
        let seconds = self.value(name, EXPECTED, default);
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if !duration.is_zero() && seconds <= 3600.0 => duration,
            _ => {
                self.faults.push(format!("{name} must be {EXPECTED}, not {seconds}"));
                Duration::from_secs_f64(default)
            }
        }
    }

    fn mechanisms(&mut self, name: &str) -> Mechanisms {
        let text = self.variables.remove(name).unwrap_or_default();
        let mut mechanisms = Mechanisms::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let known = Mechanism::named(word);
            mechanisms.extend(known);
            if known.is_none() {
                let names = Mechanism::ALL.map(Mechanism::name).join(", ");
                self.faults.push(format!("{name}: {word:?} is not a mechanism; mechanisms: {names}"));
            }
        }
        mechanisms
    }

    fn modules(&mut self, name: &str, default: &str) -> Vec<String> {
        let text = self.variables.remove(name).unwrap_or_else(|| default.to_owned());
        let modules: Vec<String> =
            text.split(',').map(str::trim).filter(|module| !module.is_empty()).map(str::to_owned).collect();
        let identifier = |part: &str| {
            !part.starts_with(|c: char| c.is_ascii_digit())
                && !part.is_empty()
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        for module in modules.iter().filter(|module| !module.split('.').all(identifier)) {
            self.faults.push(format!("{name}: {module:?} is not the name of a module"));
        }
        modules
    }

    fn finish(mut self) -> Result<(), ConfigError> {
        let unknown = |name: &String| {
            let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
            format!("unknown setting {name}; known settings: {}", known.join(", "))
        };
        self.faults.extend(self.variables.keys().map(unknown));
        if self.faults.is_empty() { Ok(()) } else { Err(ConfigError(self.faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn every_setting_is_known_and_has_the_default_that_its_table_says() {
        // Setting each to its documented default must be accepted and change nothing.
        let documented = SETTINGS.iter().filter(|setting| setting.name != "EXECUTOR_CONCURRENCY");
        let explicit: Vec<_> = documented.map(|setting| (setting.name, setting.default)).collect();
        assert_eq!(format!("{:?}", read(&explicit).unwrap()), format!("{:?}", read(&[]).unwrap()));
    }

    #[test]
    fn every_setting_is_read() {
        for setting in &SETTINGS {
            let error = read(&[(setting.name, "\u{1f40d} no such value")]);
            let accepts_any_text = ["EXECUTOR_RUNTIME", "EXECUTOR_LOG"].contains(&setting.name);
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
    fn nothing_may_be_preloaded() {
        assert!(read(&[("EXECUTOR_PRELOAD", "")]).unwrap().preload.is_empty());
    }
}

//! What happened to a job. A script's failure is data, not an error of ours.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::ipc::{Artifacts, Checked, Exception};
use crate::sandbox::usage::Used;

/// The end of a job, and what came of it until then.
#[derive(Debug)]
pub struct Outcome {
    pub ending: Ending,
    pub stdout: Printed,
    pub stderr: Printed,
    /// Files in the scratch directory, if they were wanted.
    pub files: Artifacts,
    pub usage: Usage,
}

/// What reached one of the standard streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed {
    /// Decoded; where a part is missing, a line says so.
    pub text: String,
    /// Bytes that are missing.
    pub left_out: usize,
}

/// What a job used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// From when its worker got it until its end.
    pub wall: Duration,
    /// Of all its processes, from when its worker got it.
    pub cpu: Duration,
    /// Resident memory of its largest process, at its largest. The shared memory of the warm Python is in it.
    pub max_rss_bytes: u64,
    /// How long it waited for its turn and its worker.
    pub queue: Duration,
}

impl Usage {
    /// What a monitor says that was used.
    pub fn add(&mut self, used: Used) {
        (self.cpu, self.max_rss_bytes) = (Duration::from_micros(used.cpu_us), used.max_rss_bytes);
    }
}

impl Outcome {
    /// Of a script that was not begun, after this wait for its turn.
    pub fn not_begun(failure: Failure, queue: Duration) -> Self {
        Self {
            ending: Ending::Failed(failure),
            stdout: Printed::default(),
            stderr: Printed::default(),
            files: Artifacts::default(),
            usage: Usage { queue, ..Usage::default() },
        }
    }

    /// How much of it there is to tell.
    pub fn bytes(&self) -> usize {
        let result = match &self.ending {
            Ending::Returned(value) => value.get().len(),
            Ending::Checked(_) | Ending::Failed(_) => 0,
        };
        let files: usize = self.files.sent.iter().map(|file| file.content.len()).sum();
        result + self.stdout.text.len() + self.stderr.text.len() + files
    }
}

impl Printed {
    /// How much was printed.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.left_out
    }
}

/// How a job ended.
#[derive(Debug)]
pub enum Ending {
    /// `main` returned this value.
    Returned(Box<RawValue>),
    /// Nothing ran; this is what can be told by looking at the script.
    Checked(Box<Checked>),
    Failed(Failure),
}

/// How a script ended: `ok` with a result, `error` by an exception or without a proper result, else by `timeout`, for its
/// `memory`, `killed` by a signal or another limit, or `exited` before `main` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    Error,
    Timeout,
    Memory,
    Killed,
    Exited,
}

impl Status {
    pub const ALL: [Self; 6] = [Self::Ok, Self::Error, Self::Timeout, Self::Memory, Self::Killed, Self::Exited];

    /// As it stands in answers, in the log and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Killed => "killed",
            Self::Exited => "exited",
        }
    }
}

impl Ending {
    pub fn status(&self) -> Status {
        match self {
            Self::Returned(_) | Self::Checked(_) => Status::Ok,
            Self::Failed(failure) => failure.status(),
        }
    }
}

/// Why there is no result. The text is for the script's author.
#[derive(Debug)]
pub enum Failure {
    Raised(Exception),
    NotSerializable(String),
    ResultTooLarge {
        limit: usize,
    },
    NoMain,
    MainNotCallable,
    TimedOut {
        limit: Duration,
    },
    OutOfMemory {
        limit: u64,
    },
    OutOfProcesses {
        limit: u64,
    },
    OutOfScratch {
        limit: u64,
    },
    Exited(i32),
    Killed(i32),
    /// Something else than the worker wrote to the worker's channel.
    Tampered,
}

impl Failure {
    pub fn status(&self) -> Status {
        match self {
            Self::Raised(exception) => match exception.class.as_str() {
                "SystemExit" => Status::Exited,
                "MemoryError" => Status::Memory,
                _ => Status::Error,
            },
            Self::NotSerializable(_)
            | Self::ResultTooLarge { .. }
            | Self::NoMain
            | Self::MainNotCallable
            | Self::Tampered => Status::Error,
            Self::TimedOut { .. } => Status::Timeout,
            Self::OutOfMemory { .. } => Status::Memory,
            Self::Exited(_) => Status::Exited,
            Self::OutOfProcesses { .. } | Self::OutOfScratch { .. } | Self::Killed(_) => Status::Killed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised(exception) => exception.fmt(f),
            Self::NotSerializable(reason) => write!(f, "result is not JSON serializable: {reason}"),
            Self::ResultTooLarge { limit } => write!(f, "result is larger than {limit} bytes"),
            Self::NoMain => f.write_str("script must define a main() function"),
            Self::MainNotCallable => f.write_str("main must be a function"),
            Self::TimedOut { limit } => {
                write!(f, "TimeoutError: script exceeded its time limit of {} s", limit.as_secs_f64())
            }
            Self::OutOfMemory { limit } => {
                write!(f, "MemoryError: script exceeded its memory limit of {} MB", limit >> 20)
            }
            Self::OutOfProcesses { limit } => write!(f, "script exceeded its limit of {limit} processes and threads"),
            Self::OutOfScratch { limit } => write!(f, "script exceeded its scratch space of {} MB", limit >> 20),
            Self::Exited(status) => write!(f, "script exited with status {status} before main() returned"),
            Self::Killed(signal) => write!(f, "script was killed by signal {signal} ({})", signal_name(*signal)),
            Self::Tampered => f.write_str("script wrote to the channel that carries its result"),
        }
    }
}

impl fmt::Display for Exception {
    /// As Python prints the last line of a traceback.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => f.write_str(&self.class),
            message => write!(f, "{}: {message}", self.class),
        }
    }
}

fn signal_name(signal: i32) -> Cow<'static, str> {
    Cow::Borrowed(match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGIO => "SIGIO",
        libc::SIGSYS => "SIGSYS",
        _ => return Cow::Owned(format!("signal {signal}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_read_as_the_contract_says() {
        let raised = |class: &str, message: &str| {
            Failure::Raised(Exception { class: class.to_owned(), message: message.to_owned(), ..Exception::default() })
        };
        for (failure, text) in [
            (raised("NameError", "name 'x' is not defined"), "NameError: name 'x' is not defined"),
            (raised("ValueError", ""), "ValueError"),
            (Failure::ResultTooLarge { limit: 5 }, "result is larger than 5 bytes"),
            (
                Failure::TimedOut { limit: Duration::from_millis(500) },
                "TimeoutError: script exceeded its time limit of 0.5 s",
            ),
            (
                Failure::TimedOut { limit: Duration::from_secs(2) },
                "TimeoutError: script exceeded its time limit of 2 s",
            ),
            (Failure::OutOfMemory { limit: 512 << 20 }, "MemoryError: script exceeded its memory limit of 512 MB"),
            (Failure::Exited(3), "script exited with status 3 before main() returned"),
            (Failure::Killed(11), "script was killed by signal 11 (SIGSEGV)"),
        ] {
            assert_eq!(failure.to_string(), text);
        }
    }
}

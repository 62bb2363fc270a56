//! What happened to a job. A script's failure is data, not an error of ours.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::protocol::Exception;

/// The end of a job and what it printed until then.
#[derive(Debug)]
pub struct Outcome {
    pub ending: Ending,
    /// What reached standard output, decoded.
    pub stdout: String,
    /// What reached standard error, decoded.
    pub stderr: String,
}

/// How a job ended.
#[derive(Debug)]
pub enum Ending {
    /// `main` returned this value.
    Returned(Box<RawValue>),
    Failed(Failure),
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
            Failure::Raised(Exception { class: class.to_owned(), message: message.to_owned() })
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

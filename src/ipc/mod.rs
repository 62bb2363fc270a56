//! What the processes say to each other. Encoding and decoding only, no I/O.
//!
//! Between trusted processes (service, zygote, monitor) messages are small JSON datagrams on a seqpacket socket. A job
//! goes to its worker, and an outcome comes back, as a binary frame on a stream socket: they can be megabytes, and an
//! outcome is written by a process that a script controls.

pub mod channel;
mod check;
mod job;
mod outcome;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sandbox::usage::{Ended, Excess, Used};
use crate::sandbox::{Policy, SandboxError};
pub use check::{Checked, Import, Main, Parameter, ParameterKind, SyntaxFault};
pub use job::{File, JOB_HEADER, JobFrame, Task, is_relative_name};
pub use outcome::{
    Answer, AnswerLimits, Artifacts, Exception, MAX_DESCRIPTION, OUTCOME_HEADER, Report, SkipReason, SkippedFile,
    Verdict, decode_outcome, find_outcome, outcome_header,
};

/// No datagram between trusted processes is larger.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// What the service asks of a zygote.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZygoteRequest {
    /// Make a worker by this policy, try to break out of it, and say what did not work or did not hold. Carries the cgroup for
    /// it, if the policy has one.
    Probe(Policy),
    /// Load Python, and then make monitors by this policy. These modules will be preloaded: they must be there.
    Serve { policy: Policy, preload: Vec<String> },
    /// Fork a monitor. Carries its end of the control socket, and the cgroup for its workers, if the policy has one.
    Monitor,
    /// Kill a monitor, with all that came of it, and say whether that is done.
    End { monitor: i32 },
    /// Fork another zygote, which imports these modules. Carries the ends that it is to have of a socket, and of a pipe
    /// that says by its end when it has died.
    Preload(Vec<String>),
    /// Say that it is still there.
    Ping,
}

/// What a zygote answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZygoteReply {
    /// The first thing that it says: it is inside of its namespaces and root, as far as these are wanted.
    Entered,
    /// A worker was locked in, and could not break out.
    Held,
    /// What cannot be had on this host, or does not hold.
    Refused(Vec<SandboxError>),
    /// Python is up, and monitors can be made.
    Ready(Ready),
    /// It cannot start.
    Failed { reason: String },
    /// A monitor, or another zygote, was forked. Its process id, as the zygote knows it.
    Forked { process: i32 },
    /// State of a monitor that is to end: `is_gone` if nothing is left of it.
    Ending { is_gone: bool },
    /// The fork failed.
    NotForked { reason: String },
    /// It is still there. Its resident memory at its largest.
    Pong { max_rss_bytes: u64 },
}

/// What a zygote brings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Python's version.
    pub python: String,
    /// Top-level modules whose import costs a script nothing.
    pub loaded: BTreeSet<String>,
    /// What is installed besides the standard library.
    pub packages: Vec<Package>,
}

/// Something that is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Package {
    pub name: String,
    pub version: String,
}

/// What the service tells a monitor: make a worker. Carries the worker's ends of the channels, in the order of the fields of
/// `zygote::WorkerEnds`.
pub const MAKE: &[u8] = b"make";

/// What the service tells a monitor: the job has come, so watch it.
pub const START: &[u8] = b"start";

/// What the service tells a monitor: end the worker and everything that came of it, and say when that is done.
pub const END: &[u8] = b"end";

/// What a monitor tells the service about its worker. A monitor runs no code of a script's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonitorReport {
    /// The worker is locked in and waits for its job. Its process id, as the monitor knows it.
    Ready { worker: i32 },
    /// It could not be locked in.
    Failed(Vec<SandboxError>),
    /// The worker's process ended.
    Ended { exit: Ended, cpu_us: u64 },
    /// The process tree used more than it may.
    Exceeded(Excess),
    /// It is about to be ended. What it and its descendants have used so far.
    Ending(Used),
    /// Nothing is left of the worker, nor of what it made.
    Gone(Used),
    /// Something may be left.
    Remains { reason: String },
}

/// A secret of one job. A worker's Rust side holds it where Python has no name for it, and puts it in front of the
/// outcome: what a script writes to the channel by itself is not taken for one.
pub type Token = [u8; 16];

/// A frame that does not mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed frame: {0}")]
pub struct Malformed(&'static str);

/// Frames are limited to far less than 4 GiB, so a part's length always fits.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("frames are smaller than 4 GiB").to_le_bytes()
}

fn le_u32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;

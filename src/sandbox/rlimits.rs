//! Resource limits of a worker (getrlimit(2)).

use std::io::Write;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::policy::{NICENESS, STACK_BYTES};
use super::{Mechanism, Policy, SandboxError};

/// Sets every limit that does not depend on the job.
pub fn apply(policy: &Policy) -> Result<(), SandboxError> {
    for (resource, limit) in policy.rlimits() {
        set(resource, limit, limit)?;
    }
    // Private writable memory may grow by the limit from where a fresh worker stands. RLIMIT_AS would count numpy's
    // large reservations too and break its import; RLIMIT_DATA counts what can be written to (Linux 4.7).
    let data = private_writable_bytes()? + policy.memory_bytes;
    set(Resource::Data, data, data)
}

/// Fixes the size of stacks, whatever the host's limit is. The C library reads it when a program starts.
pub fn limit_stack() -> Result<(), SandboxError> {
    set(Resource::Stack, STACK_BYTES, STACK_BYTES)
}

/// Puts the process behind the service and its guard: for processor time, and first in line for the kernel's
/// out-of-memory killer (proc_pid_oom_score_adj(5)).
pub fn stand_back() -> Result<(), SandboxError> {
    rustix::process::setpriority_process(None, NICENESS)
        .map_err(SandboxError::at(Mechanism::Rlimits, "setpriority"))?;
    let file = std::fs::OpenOptions::new().write(true).open("/proc/self/oom_score_adj");
    file.and_then(|mut file| file.write_all(b"1000"))
        .map_err(SandboxError::at(Mechanism::Rlimits, "write /proc/self/oom_score_adj"))
}

/// Bounds the CPU time of the process by the job's wall-clock time. The kernel counts from the start of the process
/// and sends SIGXCPU, then, a second later, SIGKILL.
pub fn limit_cpu(time: Duration) -> Result<(), SandboxError> {
    let seconds = time.as_secs_f64().ceil() as u64 + 1;
    set(Resource::Cpu, seconds, seconds + 1)
}

fn set(resource: Resource, soft: u64, hard: u64) -> Result<(), SandboxError> {
    setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) })
        .map_err(SandboxError::at(Mechanism::Rlimits, &format!("setrlimit {resource:?} {soft}")))
}

/// The process's private writable memory: the sixth field of /proc/self/statm, in pages (proc_pid_statm(5)).
fn private_writable_bytes() -> Result<u64, SandboxError> {
    let statm = std::fs::read_to_string("/proc/self/statm")
        .map_err(SandboxError::at(Mechanism::Rlimits, "read /proc/self/statm"))?;
    let pages: u64 = statm
        .split(' ')
        .nth(5)
        .and_then(|field| field.parse().ok())
        .ok_or("no sixth field")
        .map_err(SandboxError::at(Mechanism::Rlimits, "parse /proc/self/statm"))?;
    Ok(pages * rustix::param::page_size() as u64)
}

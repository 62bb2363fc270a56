//! Resource limits of a worker (getrlimit(2)).

use std::io::Write;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::policy::{NICENESS, STACK_BYTES};
use super::{Mechanism, Policy, SandboxError, dumpable};

/// Sets every limit that does not depend on the job.
pub fn apply(policy: &Policy) -> Result<(), SandboxError> {
    for (resource, limit) in policy.rlimits() {
        set(resource, limit, limit)?;
    }
    for (resource, limit) in Policy::optional_rlimits() {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        match setrlimit(resource, limit) {
            // Lowering a limit that exists is never refused.
            Ok(()) | Err(rustix::io::Errno::PERM) => {}
            Err(errno) => return Err(SandboxError::at(Mechanism::Rlimits, &format!("setrlimit {resource:?}"))(errno)),
        }
    }
    // Private writable memory may grow by the limit from where a fresh worker stands. RLIMIT_AS would count numpy's
    // large reservations too and break its import; RLIMIT_DATA counts what can be written to (Linux 4.7).
    let data = private_writable_bytes()? + policy.memory_bytes;
    set(Resource::Data, data, data)
}

/// Has the kernel bound the processes of a worker. It counts those of the user in the worker's user namespace since Linux 5.14.
/// Before, and in gVisor, it counts all of the user's, which is nothing to rely on: the probe finds that out.
pub fn limit_processes(policy: &Policy) -> Result<(), SandboxError> {
    let limit = Rlimit { current: Some(policy.max_processes), maximum: Some(policy.max_processes) };
    setrlimit(Resource::Nproc, limit)
        .map_err(SandboxError::at(Mechanism::Nproc, &format!("setrlimit Nproc {}", policy.max_processes)))
}

/// Fixes the size of stacks, whatever the host's limit is. The C library reads it when a program starts.
pub fn limit_stack() -> Result<(), SandboxError> {
    set(Resource::Stack, STACK_BYTES, STACK_BYTES)
}

/// Puts a process, and all that comes of it, in line for the kernel's out-of-memory killer before the service; a worker
/// stands before its monitor and its zygote (proc_pid_oom_score_adj(5)).
pub fn set_oom_score(score: OomScore) -> Result<(), SandboxError> {
    let text: &[u8] = match score {
        OomScore::Zygote => b"500",
        OomScore::Worker => b"1000",
    };
    let file = std::fs::OpenOptions::new().write(true).open("/proc/self/oom_score_adj");
    file.and_then(|mut file| file.write_all(text))
        .map_err(SandboxError::at(Mechanism::Rlimits, "write /proc/self/oom_score_adj"))
}

/// Who is offered to the out-of-memory killer.
#[derive(Debug, Clone, Copy)]
pub enum OomScore {
    Zygote,
    Worker,
}

/// Puts a worker behind the service and its monitor: for processor time, and for memory.
pub fn lower_priority() -> Result<(), SandboxError> {
    let failed = |step| SandboxError::at(Mechanism::Rlimits, step);
    let niceness = rustix::process::getpriority_process(None).map_err(failed("getpriority"))?;
    rustix::process::setpriority_process(None, niceness + NICENESS).map_err(failed("setpriority"))?;
    // A process that cannot open its own file has the zygote's score, which is above the service's.
    if dumpable::is_hidden_for_good() {
        return Ok(());
    }
    dumpable::with_dumpable(Mechanism::Rlimits, || set_oom_score(OomScore::Worker))
}

/// Bounds the CPU time of the process by what all processors can do in the job's wall-clock time: threads must not end a
/// script earlier than that. The kernel counts from the start of the process and sends SIGXCPU, then, a second later,
/// SIGKILL.
pub fn limit_cpu(time: Duration) -> Result<(), SandboxError> {
    let processors = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec.unsigned_abs();
    let seconds = (time.as_secs_f64() * f64::from(processors)).ceil() as u64 + used + 2;
    set(Resource::Cpu, seconds, seconds + 1)
}

/// Sets a limit, or leaves it at the host's hard one where that is lower: nobody may raise it.
fn set(resource: Resource, soft: u64, hard: u64) -> Result<(), SandboxError> {
    let allowed = |limit: u64| Some(getrlimit(resource).maximum.map_or(limit, |maximum| limit.min(maximum)));
    setrlimit(resource, Rlimit { current: allowed(soft), maximum: allowed(hard) })
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

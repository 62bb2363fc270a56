//! One worker without Python, made like all others, that tries to break out of what it is locked into.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::SocketFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, getrlimit, kill_process, setrlimit, waitpid};

use super::{WorkerSpec, foreign_variable, monitor, worker};
use crate::ipc::channel;
use crate::ipc::{END, MAKE, MonitorReport};
use crate::sandbox::cgroup::Joined;
use crate::sandbox::{Mechanism, Policy, SandboxError, WorkerPaths};
use crate::sys::{self, Side};

/// Everything that cannot be had here, or that does not hold.
pub fn probe(spec: &WorkerSpec, group: Option<Joined>) -> Vec<SandboxError> {
    let mut found = attempt(spec, group).unwrap_or_else(|error| vec![error]);
    if spec.policy.has(Mechanism::Environment) {
        found.extend(foreign_variable());
    }
    found
}

fn attempt(spec: &WorkerSpec, group: Option<Joined>) -> Result<Vec<SandboxError>, SandboxError> {
    let failed = SandboxError::fault::<std::io::Error>;
    let (control, theirs) = channel::pair(SocketFlags::empty()).map_err(failed("make a socket"))?;
    let side = spec.fork().map_err(SandboxError::at(Mechanism::Namespaces, "clone"))?;
    if let Side::Child = side {
        // The parent's end must not live on here, where the monitor waits for it to be closed.
        drop(control);
        monitor::run(spec, None, &theirs, group);
    }
    drop((theirs, group));
    let ends = ends()?;
    let sent = channel::send(&control, MAKE, &ends.each_ref().map(AsFd::as_fd));
    drop(ends);
    // A monitor that is gone has said why.
    let found = sent.map_err(failed("ask for a worker")).and_then(|()| listen(&control));
    drop(control);
    sys::wait(true).map_err(SandboxError::fault("wait for the monitor"))?;
    found
}

/// Lets a monitor and its worker come and go.
fn listen(control: &OwnedFd) -> Result<Vec<SandboxError>, SandboxError> {
    match report(control)? {
        MonitorReport::Ready { .. } => {}
        MonitorReport::Failed(errors) => return Ok(errors),
        other => return Err(SandboxError::fault("probe")(format!("unexpected report {other:?}"))),
    }
    channel::send(control, END, &[]).map_err(SandboxError::fault("end the worker"))?;
    let mut last = report(control)?;
    if matches!(last, MonitorReport::Ending(_)) {
        last = report(control)?;
    }
    match last {
        MonitorReport::Gone(_) => Ok(Vec::new()),
        MonitorReport::Remains { reason } => Err(SandboxError::at(Mechanism::Sweep, "probe")(reason)),
        other => Err(SandboxError::fault("probe")(format!("unexpected report {other:?}"))),
    }
}

fn report(control: &OwnedFd) -> Result<MonitorReport, SandboxError> {
    let message = channel::receive(control).map_err(SandboxError::fault("hear of the monitor"))?;
    let message = message.ok_or("it ended").map_err(SandboxError::fault("hear of the monitor"))?;
    message.parse().map_err(SandboxError::fault("hear of the monitor"))
}

/// The ends of a worker for which there is no job.
fn ends() -> Result<[OwnedFd; 3], SandboxError> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(SandboxError::fault("make a pipe"));
    let ((channel, _), (_, stdout), (_, stderr)) = (pipe()?, pipe()?, pipe()?);
    Ok([channel, stdout, stderr])
}

/// The number of processes that there are of a probe: the worker, and one that it leaves, unless it is sealed or nothing would
/// end that one.
pub fn left_by_probe(policy: &Policy) -> usize {
    let is_ended = policy.has(Mechanism::Namespaces) || policy.has(Mechanism::Sweep);
    if policy.has(Mechanism::Seal) || !is_ended { 1 } else { 2 }
}

/// Tries whether the kernel bounds the processes of this worker, and of nobody else: with a lower limit, one child must be had and
/// some more must not.
pub fn exceed_processes() -> Option<SandboxError> {
    /// This process and a child.
    const ALLOWED: u64 = 2;
    /// With this process, a cgroup that is probed may have as many.
    const TRIED: usize = 3;
    let failed = SandboxError::at(Mechanism::Nproc, "probe");
    let Rlimit { maximum, .. } = getrlimit(Resource::Nproc);
    let allow = |current| setrlimit(Resource::Nproc, Rlimit { current, maximum });
    if let Err(errno) = allow(Some(ALLOWED)) {
        return Some(failed(format!("the limit cannot be lowered: {errno}")));
    }
    let children: Vec<Pid> = std::iter::from_fn(waiting_child).take(TRIED).collect();
    for child in &children {
        // It is there until it is waited for.
        let _ = kill_process(*child, Signal::KILL);
        let _ = waitpid(Some(*child), WaitOptions::empty());
    }
    let found = judge(children.len()).map(str::to_owned);
    let found = found.or_else(|| Some(format!("the limit cannot be raised again: {}", allow(maximum).err()?)));
    found.map(failed)
}

/// What is wrong with a limit of two processes if a process could make so many children.
fn judge(children: usize) -> Option<&'static str> {
    match children {
        0 => Some("processes of others are counted, too"),
        // Linux 5.14 to 5.16 allow one more.
        1 | 2 => None,
        _ => Some("more processes can be made than are allowed"),
    }
}

fn waiting_child() -> Option<Pid> {
    // SAFETY: this process has one thread, and the child only waits.
    match unsafe { sys::fork() }.ok()? {
        Side::Parent(child) => Some(child),
        Side::Child => worker::wait_for_the_end(),
    }
}

/// Leaves a process and a file behind, which the monitor must find. A sealed worker cannot, and where nothing ends them, they
/// would stay. Whether this is the process that is left, which is only to wait.
pub fn leave_something(policy: &Policy, place: &WorkerPaths) -> bool {
    if left_by_probe(policy) == 1 {
        return false;
    }
    // The directory is the worker's own.
    let _ = fs::write(place.scratch.join("left"), "behind");
    // SAFETY: this process has one thread, and the child only waits.
    let is_left = matches!(unsafe { sys::fork() }, Ok(Side::Child));
    if is_left {
        // In a session of its own, where that is allowed, and without a parent soon.
        let _ = rustix::process::setsid();
    }
    is_left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_processes_must_hold_and_be_about_nobody_else() {
        assert_eq!([1, 2].map(judge), [None, None]);
        assert!(judge(0).is_some_and(|what| what.contains("of others")), "as before Linux 5.14");
        assert!(judge(3).is_some_and(|what| what.contains("more processes")));
    }
}

//! The end of all that a job was: its processes, its files, its IPC objects.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, child_subreaper, kill_process, kill_process_group, set_child_subreaper, waitid,
};

use super::cgroup::Joined;
use super::scratch::Scratch;
use super::watchdog::children;
use super::{Mechanism, Policy, SandboxError};
use crate::sys::{self, Rusage};

const STEP: &str = "prctl PR_SET_CHILD_SUBREAPER";

/// Makes this process the one that orphans of its descendants come to, so that none gets away (PR_SET_CHILD_SUBREAPER(2const)).
/// A sealed worker makes no processes, and where it is needed, prctl(2) is refused.
pub fn adopt_orphans(policy: &Policy) -> Result<(), SandboxError> {
    if policy.has(Mechanism::Seal) {
        return Ok(());
    }
    let failed = SandboxError::at(Mechanism::Sweep, STEP);
    set_child_subreaper(Some(rustix::process::getpid())).map_err(failed)?;
    // Where orphans go instead cannot be seen before there are some.
    match child_subreaper() {
        Ok(None) => Err(SandboxError::at(Mechanism::Sweep, STEP)("it has no effect")),
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

/// Makes every process of the job stand still, all at once: what is about to be forked as well.
pub fn stop(policy: &Policy, worker: Pid) {
    signal(policy, worker, Signal::STOP);
}

/// Lets the processes go on, also those that the script has stopped.
pub fn resume(policy: &Policy, worker: Pid) {
    signal(policy, worker, Signal::CONT);
}

fn signal(policy: &Policy, worker: Pid, signal: Signal) {
    if policy.has(Mechanism::Namespaces) {
        sys::signal_all_others(signal);
    } else {
        // It may be gone already.
        let _ = kill_process_group(worker, signal);
    }
}

/// Ends every process of the job and waits until the last one is gone. Gives what those have used that had not been
/// collected before.
///
/// Without a PID namespace, everything is in the worker's process group, which the system call filter keeps it in. A
/// signal to a group reaches all of its processes at once, and a process that is about to fork then does not
/// (copy_process in kernel/fork.c), so that no speed of forking gets away.
pub fn end_processes(policy: &Policy, worker: Pid, group: Option<&Joined>) -> io::Result<Rusage> {
    group.map(Joined::kill).transpose()?;
    if policy.has(Mechanism::Namespaces) {
        return end_namespace(worker);
    }
    // Either may be gone already.
    let _ = kill_process_group(worker, Signal::KILL);
    let _ = kill_process(worker, Signal::KILL);
    let mut used = Rusage::default();
    loop {
        kill_children();
        let Some((_, _, usage)) = sys::wait(true)? else { return Ok(used) };
        used.add(usage);
    }
}

/// Linux kills all of a PID namespace at once. gVisor kills one after the other, and something may be forked meanwhile: so
/// it is done again, until nothing is left.
fn end_namespace(worker: Pid) -> io::Result<Rusage> {
    const PAUSE: Duration = Duration::from_millis(1);
    sys::signal_all_others(Signal::KILL);
    // It was there, so it ends.
    let _ = waitid(WaitId::Pid(worker), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let mut used = Rusage::default();
    loop {
        sys::signal_all_others(Signal::KILL);
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT) {
            Err(Errno::CHILD) => return Ok(used),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            // Something is still about to end.
            Ok(None) => std::thread::sleep(PAUSE),
            Ok(Some(_)) => {
                if let Some((_, _, usage)) = sys::wait(false)? {
                    used.add(usage);
                }
            }
        }
    }
}

/// Where there is no filter, processes leave their group; those whose parent has ended have come to this one.
fn kill_children() {
    for child in children(Path::new("/proc/self")).unwrap_or_default() {
        // It is there until it is waited for.
        let _ = kill_process(child, Signal::KILL);
    }
}

/// Removes what outlives processes.
pub fn remove_remains(policy: &Policy, scratch: &Scratch) -> io::Result<()> {
    scratch.wipe(policy)?;
    // The system call filter refuses to make any, and those of a namespace end with it.
    if policy.has(Mechanism::Seccomp) || !policy.has(Mechanism::Sweep) { Ok(()) } else { sys::remove_ipc_objects() }
}

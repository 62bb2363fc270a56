//! Whether other processes of the same user may look into this one (PR_SET_DUMPABLE(2const)).
//!
//! A process that is not dumpable cannot be traced, leaves no core file, and its files in /proc belong to root. Where
//! prctl(2) is refused, the kernel gives the same to a process that was started from a file which its user may execute
//! but not read (execve(2), "dumpable" in proc_pid(5)): [`execute_only`] makes such a file.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, dumpable_behavior, geteuid, set_dumpable_behavior};

use super::{Mechanism, Policy, SandboxError};

/// Lasts until the process executes a file. Without prctl(2), checks that it is hidden already.
pub fn hide_from_tracers() -> Result<(), SandboxError> {
    match set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        Ok(()) if dumpable_behavior() == Ok(DumpableBehavior::Dumpable) => {
            Err(SandboxError::at(Mechanism::Dumpable, "prctl PR_SET_DUMPABLE")("it has no effect"))
        }
        Ok(()) => Ok(()),
        Err(Errno::PERM) if is_hidden() => Ok(()),
        Err(errno) => Err(failed("prctl PR_SET_DUMPABLE")(errno)),
    }
}

/// Runs `action` while the process may use the files that /proc has of it, which `mechanism` needs.
pub fn with_dumpable<T>(
    mechanism: Mechanism,
    action: impl FnOnce() -> Result<T, SandboxError>,
) -> Result<T, SandboxError> {
    let failed = |step| SandboxError::at(mechanism, step);
    let before = dumpable_behavior().map_err(failed("prctl PR_GET_DUMPABLE"))?;
    set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(failed("prctl PR_SET_DUMPABLE"))?;
    let result = action();
    set_dumpable_behavior(before).map_err(failed("prctl PR_SET_DUMPABLE"))?;
    result
}

/// Whether the process's files in /proc belong to another than its user, who is then root. Root himself cannot tell.
pub fn is_hidden() -> bool {
    let owner = std::fs::metadata("/proc/self/environ").map(|metadata| metadata.uid());
    owner.is_ok_and(|owner| owner != geteuid().as_raw())
}

/// Whether the process is hidden and can do nothing about it.
pub fn is_hidden_for_good() -> bool {
    is_hidden() && set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err()
}

/// Hides a worker, or shows it to its monitor, who must be able to count what it uses and without a user namespace has no
/// right to look into hidden processes. There, Landlock and the filter keep other workers from making use of it; its own
/// monitor, its zygote and the service stay hidden.
pub fn set_worker_dumpable(policy: &Policy) -> Result<(), SandboxError> {
    let counted_by_monitor =
        !policy.has(Mechanism::Namespaces) && policy.has(Mechanism::Landlock) && policy.has(Mechanism::Seccomp);
    // One that cannot be shown is counted from outside, by what /proc tells everybody.
    if counted_by_monitor && !is_hidden_for_good() {
        set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(failed("prctl PR_SET_DUMPABLE"))
    } else {
        hide_from_tracers()
    }
}

/// A copy of a program in memory that can be executed and not read, so that whoever runs it is hidden.
pub fn execute_only(program: &mut File) -> io::Result<OwnedFd> {
    copy(program, Mode::XUSR | Mode::XGRP | Mode::XOTH)
}

/// A copy of a program in memory for everybody to read and execute.
pub fn executable(program: &mut File) -> io::Result<OwnedFd> {
    let everybody = Mode::RUSR | Mode::RGRP | Mode::ROTH;
    copy(program, everybody | Mode::XUSR | Mode::XGRP | Mode::XOTH)
}

fn copy(program: &mut File, mode: Mode) -> io::Result<OwnedFd> {
    let copy = memfd_create("py-executor", MemfdFlags::CLOEXEC)?;
    io::copy(program, &mut File::from(copy.try_clone()?))?;
    // Executing a file that is open for writing fails with ETXTBSY: only a descriptor without rights may stay.
    let reopened = open(format!("/proc/self/fd/{}", copy.as_raw_fd()), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::fchmod(&copy, mode)?;
    Ok(reopened)
}

fn failed(step: &'static str) -> impl FnOnce(Errno) -> SandboxError {
    SandboxError::at(Mechanism::Dumpable, step)
}

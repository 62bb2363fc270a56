//! Making processes. The zygote has a single thread, which is what makes each of these calls sound: no lock is held by
//! a thread that does not exist in the child.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// Which side of a fork the caller is on.
pub enum Side<T> {
    Parent(T),
    Child,
}

/// A child made by [`clone_into`].
pub struct Clone {
    pub pidfd: OwnedFd,
}

/// Forks into new namespaces (clone3(2), Linux 5.3; pidfd_open(2)).
///
/// # Safety
/// The process must have one thread only. The child must not call pthread functions of the C library: its thread id is
/// still that of the parent there. It may use [`fork`], which sets it right for the child.
pub unsafe fn clone_into(namespaces: UnshareFlags) -> io::Result<Side<Clone>> {
    let mut pidfd: libc::c_int = -1;
    let arguments = libc::clone_args {
        flags: u64::from(namespaces.bits()) | u64::from(libc::CLONE_PIDFD.cast_unsigned()),
        pidfd: &raw mut pidfd as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    // SAFETY: without CLONE_VM the child gets its own copy of the memory, as with fork; the structure and the pidfd
    // that it points to live until the call returns.
    match unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        // SAFETY: the kernel has just stored a new descriptor there, which nothing else owns.
        _ => Ok(Side::Parent(Clone { pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })),
    }
}

/// fork(2) through the C library, so that its own state is right in the child.
///
/// # Safety
/// The process must have one thread only.
pub unsafe fn fork() -> io::Result<Side<Pid>> {
    // SAFETY: the caller promises that there is no other thread.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Pid::from_raw(pid).map(Side::Parent).ok_or_else(|| io::Error::other("fork returned a negative pid")),
    }
}

/// Leaves namespaces for new ones (unshare(2)).
pub fn unshare(namespaces: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: only CLONE_FILES can break the ownership of descriptors, and no namespace flag shares its bit.
    unsafe { rustix::thread::unshare_unsafe(namespaces.difference(UnshareFlags::FILES)) }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Status(i32),
    Signal(i32),
}

/// What a process and the descendants that it has waited for used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rusage {
    pub cpu: Duration,
    pub max_rss_bytes: u64,
}

/// Collects a child that has ended (wait4(2)); `None` when there is none, or, unless it may block, none yet.
pub fn wait(block: bool) -> io::Result<Option<(Pid, Exit, Rusage)>> {
    let mut status = 0;
    // SAFETY: rusage is plain data, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the time of the call.
    let pid = unsafe { libc::wait4(-1, &raw mut status, if block { 0 } else { libc::WNOHANG }, &raw mut usage) };
    if pid == 0 {
        return Ok(None);
    }
    let Some(pid) = (pid > 0).then(|| Pid::from_raw(pid)).flatten() else {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(libc::ECHILD) { Ok(None) } else { Err(error) };
    };
    let exit = if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Status(libc::WEXITSTATUS(status))
    };
    let micros = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    let cpu = micros(usage.ru_utime) + micros(usage.ru_stime);
    Ok(Some((pid, exit, Rusage { cpu, max_rss_bytes: usage.ru_maxrss.unsigned_abs() * 1024 })))
}

/// Ends this process at once: no destructor, no atexit handler, no flush.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(status) }
}

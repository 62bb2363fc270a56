//! Making processes. The zygote has a single thread, which is what makes each of these calls sound: no lock is held by
//! a thread that does not exist in the child.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// Which side of a fork the caller is on.
pub enum Side<T> {
    Parent(T),
    Child,
}

/// Forks into new namespaces (clone(2)).
///
/// # Safety
/// The process must have one thread only. The child must not call pthread functions of the C library: its thread id is
/// still that of the parent there. It may use [`fork`], which sets it right for the child.
pub unsafe fn clone_into(namespaces: UnshareFlags) -> io::Result<Side<Pid>> {
    let flags = u64::from(namespaces.bits()) | libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM and a stack the child gets its own copy of the memory and goes on from here, as with fork.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    side(pid)
}

/// fork(2) through the C library, so that its own state is right in the child.
///
/// # Safety
/// The process must have one thread only.
pub unsafe fn fork() -> io::Result<Side<Pid>> {
    // SAFETY: the caller promises that there is no other thread.
    side(unsafe { libc::fork() }.into())
}

/// State of the calling thread that fork(2) of the C library sets right in a child, and that a child without it needs to have
/// set: where the kernel writes its number, and its list of robust mutexes.
#[derive(Debug, Clone, Copy)]
pub struct ThreadState {
    number: u64,
    mutexes: (usize, usize),
}

impl ThreadState {
    /// For the first thread of a program, or of a fork of it through the C library. Fails where the kernel does not tell
    /// (PR_GET_TID_ADDRESS(2const), CONFIG_CHECKPOINT_RESTORE).
    pub fn of_this_thread() -> io::Result<Self> {
        let (mut number, mut mutexes) = (0_u64, (0_usize, 0_usize));
        // SAFETY: each call writes to variables that outlive it.
        let told = unsafe {
            libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut number) == 0
                && libc::syscall(libc::SYS_get_robust_list, 0, &raw mut mutexes.0, &raw mut mutexes.1) == 0
        };
        if told && number != 0 {
            Ok(Self { number, mutexes })
        } else {
            Err(io::Error::other("the kernel does not tell where the number of a thread stands"))
        }
    }
}

/// Forks a child that begins its life in a cgroup (clone3(2), CLONE_INTO_CGROUP, Linux 5.7).
///
/// # Safety
/// The process must have one thread only, and the state must be that of a thread at the same place in memory: of this process,
/// or of one that it is a fork of.
pub unsafe fn fork_into(cgroup: BorrowedFd<'_>, state: &ThreadState) -> io::Result<Side<Pid>> {
    /// Of linux/sched.h.
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    // SAFETY: clone_args is plain data, for which all zeroes is a value.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    // As the C library forks, which has the kernel write the child's number to where it looks for it.
    arguments.flags = (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64 | CLONE_INTO_CGROUP;
    arguments.child_tid = state.number;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    // SAFETY: without CLONE_VM and a stack the child gets its own copy of the memory and goes on from here, as with fork. The
    // kernel writes to the child's copy of the C library's thread, as the caller promises.
    let side = side(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) })?;
    if matches!(side, Side::Child) {
        // SAFETY: the list is the C library's own, at the same place as in the process that was forked.
        unsafe { libc::syscall(libc::SYS_set_robust_list, state.mutexes.0, state.mutexes.1) };
    }
    Ok(side)
}

/// A negative number is none of a process, and must not become one.
fn side(pid: libc::c_long) -> io::Result<Side<Pid>> {
    let child = if pid > 0 { libc::pid_t::try_from(pid).ok().and_then(Pid::from_raw) } else { None };
    match child {
        Some(child) => Ok(Side::Parent(child)),
        None if pid == 0 => Ok(Side::Child),
        None => Err(io::Error::last_os_error()),
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

impl Rusage {
    /// Adds what another process used. Memory is that of the largest one.
    pub fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.max_rss_bytes = self.max_rss_bytes.max(other.max_rss_bytes);
    }
}

/// The processor time that a process, all of its threads, has used so far (clock_getcpuclockid(3)). Zero where the host
/// does not tell.
pub fn cpu_time(process: Pid) -> Duration {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both pointers are valid for the time of their calls.
    let told = unsafe {
        libc::clock_getcpuclockid(process.as_raw_nonzero().get(), &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    if told { Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0)) } else { Duration::ZERO }
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

/// A child that has ended and was not waited for yet, whichever it is. It stays so (waitid(2), WNOWAIT).
pub fn ended_child() -> Option<Pid> {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: siginfo_t is plain data, for which all zeroes is a value; the call writes to one that outlives it, and si_pid is
    // what it fills in for a child, or leaves zero.
    let pid = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &raw mut info, options);
        info.si_pid()
    };
    Pid::from_raw(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_that_fails_is_an_error() {
        assert!(side(-1).is_err());
        assert!(matches!(side(0), Ok(Side::Child)));
        assert!(matches!(side(7), Ok(Side::Parent(child)) if child.as_raw_nonzero().get() == 7));
    }
}

//! Signals.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Lets the kernel reap children by itself: the zygote needs no exit status, the monitors report those that matter.
pub fn ignore_child_exits() {
    set_disposition(libc::SIGCHLD, libc::SIG_IGN);
}

/// Gives signals that a script may be sent the meaning that they have for a program that somebody starts: takes away the
/// handlers with which Rust's runtime recognises a stack overflow of its own, and what the service itself was started with
/// (nohup(1) ignores some).
pub fn reset_program_signals() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        set_disposition(signal, libc::SIG_DFL);
    }
}

/// Takes [`ignore_child_exits`] back, for a process that waits for its children.
pub fn wait_for_child_exits() {
    set_disposition(libc::SIGCHLD, libc::SIG_DFL);
}

/// Turns the ends of children into something to wait for: a descriptor that is readable when there is one
/// (signalfd(2)). Unlike a pidfd, gVisor has it.
pub fn child_exits() -> io::Result<OwnedFd> {
    let children = only_sigchld();
    // SAFETY: the set is initialised and outlives the calls, and the kernel makes a new descriptor, which nothing owns.
    unsafe {
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const children, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &raw const children, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// Takes [`child_exits`] back in a fork.
pub fn unblock_child_exits() {
    let children = only_sigchld();
    // SAFETY: the set is initialised and outlives the call.
    unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const children, std::ptr::null_mut()) };
}

fn only_sigchld() -> libc::sigset_t {
    // SAFETY: sigset_t is plain data that sigemptyset fills.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        set
    }
}

/// Signals that are kept back, for a process that waits for them: the end of a child, and SIGTERM.
pub struct HeldSignals {
    held: libc::sigset_t,
    before: libc::sigset_t,
}

impl HeldSignals {
    /// Keeps them back from now on (sigprocmask(2)).
    pub fn hold() -> io::Result<Self> {
        let mut held = only_sigchld();
        // SAFETY: sigset_t is plain data, for which all zeroes is a value; the sets outlive the calls.
        unsafe {
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&raw mut held, libc::SIGTERM);
            match libc::sigprocmask(libc::SIG_BLOCK, &raw const held, &raw mut before) {
                0 => Ok(Self { held, before }),
                _ => Err(io::Error::last_os_error()),
            }
        }
    }

    /// Takes it back in a fork.
    pub fn release(self) -> io::Result<()> {
        // SAFETY: the set is initialised and outlives the call.
        match unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Waits for one of them; says whether it was SIGTERM (sigwaitinfo(2)).
    pub fn wait(&self) -> bool {
        // SAFETY: the set is initialised and outlives the call, which need not say more than the signal's number.
        unsafe { libc::sigwaitinfo(&raw const self.held, std::ptr::null_mut()) == libc::SIGTERM }
    }
}

/// Signals every process that this one may signal, but itself. For the init process of a PID namespace, which can signal
/// only those in it.
pub fn signal_all_others(signal: rustix::process::Signal) {
    assert_eq!(std::process::id(), 1, "only an init process may do this");
    // SAFETY: kill has no precondition.
    unsafe { libc::kill(-1, signal.as_raw()) };
}

/// What a process does on signals, but for those on which it does what every program does.
pub struct Dispositions(Vec<(libc::c_int, libc::sigaction)>);

impl Dispositions {
    /// Puts them back in force, for a fork that is to do as its parent did.
    pub fn restore(&self) {
        for (signal, action) in &self.0 {
            // SAFETY: the handlers are those of this program's memory, of which this process is a fork.
            unsafe { libc::sigaction(*signal, action, std::ptr::null_mut()) };
        }
    }
}

/// Gives every signal its default disposition and unblocks all but those of [`child_exits`]. Gives what was in force. A
/// monitor is the init process of its PID namespace: a signal that a script sends to it is dropped by the kernel as long as
/// it has no handler (pid_namespaces(7)).
pub fn reset_signals() -> Dispositions {
    let mut before = Vec::new();
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: sigaction is plain data, for which all zeroes is a value, and the pointers are valid for the call.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: as above; nothing is changed.
        let known = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) } == 0;
        if known && action.sa_sigaction != libc::SIG_DFL {
            before.push((signal, action));
            set_disposition(signal, libc::SIG_DFL);
        }
    }
    // SAFETY: sigset_t is plain data that sigemptyset fills; both live for the time of the calls.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigaddset(&raw mut none, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
    Dispositions(before)
}

fn set_disposition(signal: libc::c_int, disposition: libc::sighandler_t) {
    // SAFETY: SIG_IGN and SIG_DFL run no code of ours. SIGKILL, SIGSTOP and the C library's own two are refused, which
    // is right.
    unsafe { libc::signal(signal, disposition) };
}

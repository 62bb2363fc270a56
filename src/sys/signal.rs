//! Signal dispositions.

/// Lets the kernel reap children by itself: the zygote needs no exit status, the guards report those that matter.
pub fn ignore_child_exits() {
    set_disposition(libc::SIGCHLD, libc::SIG_IGN);
}

/// Takes away the handlers with which Rust's runtime recognises a stack overflow of its own: a script that is sent one of
/// these signals must die of it.
pub fn reset_fault_signals() {
    set_disposition(libc::SIGSEGV, libc::SIG_DFL);
    set_disposition(libc::SIGBUS, libc::SIG_DFL);
}

/// Takes [`ignore_child_exits`] back, for a process that waits for its children.
pub fn wait_for_child_exits() {
    set_disposition(libc::SIGCHLD, libc::SIG_DFL);
}

/// Gives every signal its default disposition and unblocks all. A guard is the init process of its PID namespace: a
/// signal that a script sends to it is dropped by the kernel as long as it has no handler (pid_namespaces(7)).
pub fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        set_disposition(signal, libc::SIG_DFL);
    }
    // SAFETY: sigset_t is plain data that sigemptyset fills; both live for the time of the calls.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

fn set_disposition(signal: libc::c_int, disposition: libc::sighandler_t) {
    // SAFETY: SIG_IGN and SIG_DFL run no code of ours. SIGKILL, SIGSTOP and the C library's own two are refused, which
    // is right.
    unsafe { libc::signal(signal, disposition) };
}

//! What a process may do, as others of its user can change it; what it has in memory, and an attempt on another's.

use std::io;

use rustix::process::Pid;

/// The kinds of limits that the kernel has (RLIM_NLIMITS of asm-generic/resource.h).
const RESOURCES: libc::__rlimit_resource_t = 16;

/// IOPRIO_WHO_PROCESS of linux/ioprio.h.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;

/// Everything about a thread that another process of the same user could change without tracing it: resource limits
/// (prlimit(2)), priority (setpriority(2)), that of its input and output (ioprio_set(2)), scheduling attributes and
/// processors (sched_setattr(2), sched_setaffinity(2)).
pub fn standing(thread: Option<Pid>) -> Vec<u64> {
    let number = thread.map_or(0, |thread| thread.as_raw_nonzero().get());
    let mut found = Vec::new();
    for resource in 0..RESOURCES {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the new limit is none, and the old one is written to a structure that outlives the call.
        unsafe { libc::prlimit(number, resource, std::ptr::null(), &raw mut limit) };
        found.extend([limit.rlim_cur, limit.rlim_max]);
    }
    let (mut processors, mut attributes) = ([0_u64; 16], [0_u64; 8]);
    // SAFETY: the kernel writes at most the given size; the other calls take no pointer.
    unsafe {
        libc::syscall(libc::SYS_sched_getaffinity, number, size_of_val(&processors), &raw mut processors);
        found.push(libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, number).cast_unsigned());
        found.push(libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, number).cast_unsigned());
        let size = size_of_val(&attributes);
        libc::syscall(libc::SYS_sched_getattr, number, &raw mut attributes, size, 0);
    }
    found.extend(processors);
    found.extend(attributes);
    found
}

/// What this process had in memory at most, bytes (getrusage(2)).
pub fn max_rss_bytes() -> u64 {
    // SAFETY: rusage is plain data, for which all zeroes is a value, and the call writes to one that outlives it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    usage.ru_maxrss.cast_unsigned() << 10
}

/// Reads memory of another process (process_vm_readv(2)): for the probe, where it must fail.
pub fn read_memory(process: Pid) -> io::Result<()> {
    let mut byte = 0_u8;
    let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let remote = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: one byte is written to a variable that outlives the call. The other process is only read, and need not
    // have anything at that address.
    let read =
        unsafe { libc::process_vm_readv(process.as_raw_nonzero().get(), &raw const local, 1, &raw const remote, 1, 0) };
    if read < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether two processes have the same memory, as a child and its parent until the child executes its program (vfork(2)).
/// `None` where that may not be asked: it takes the right to trace both, and the filters of containers refuse it (kcmp(2)).
pub fn have_the_same_memory(one: Pid, other: Pid) -> Option<bool> {
    /// KCMP_VM of include/uapi/linux/kcmp.h.
    const MEMORY: libc::c_int = 1;
    let number = |process: Pid| process.as_raw_nonzero().get();
    // SAFETY: no buffer is passed.
    let compared = unsafe { libc::syscall(libc::SYS_kcmp, number(one), number(other), MEMORY, 0, 0) };
    if compared >= 0 {
        return Some(compared == 0);
    }
    // One that is gone has none.
    (io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)).then_some(false)
}

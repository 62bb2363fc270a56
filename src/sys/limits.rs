//! What a process may do, as others of its user can change it; what it has in memory, and an attempt on another's.

use std::io;

use rustix::process::Pid;

/// The kinds of limits that the kernel has (RLIM_NLIMITS of asm-generic/resource.h).
const RESOURCES: libc::__rlimit_resource_t = 16;

/// IOPRIO_WHO_PROCESS of linux/ioprio.h.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;

/// Words of the kernel's lists of processors: 1,024 of them.
const PROCESSOR_WORDS: usize = 16;

/// Words of the structure sched_attr (sched_setattr(2)), and room for more.
const ATTRIBUTE_WORDS: usize = 8;

/// Word of the structure that has the policy, in its upper half.
const POLICY: usize = 0;

/// Word of the structure that has the runtime. For policies without deadlines it is the time slice (Linux 6.12).
const RUNTIME: usize = 3;

/// Everything about a thread that another process of the same user could change without tracing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulingAttributes {
    /// Resource limits (prlimit(2)), priority (setpriority(2)), that of its input and output (ioprio_set(2)), scheduling
    /// attributes (sched_setattr(2)): what the kernel never changes by itself.
    pub figures: Vec<u64>,
    /// Processors that it may run on (sched_setaffinity(2)). The kernel changes them when processors come and go, and when
    /// the host gives a container others (cpuset(7)).
    pub processors: [u64; PROCESSOR_WORDS],
    /// Its time slice. Unless somebody has chosen one, it depends on the number of processors.
    pub slice: u64,
}

/// Reads how a thread stands; without a number, the calling one.
pub fn scheduling_attributes(thread: Option<Pid>) -> SchedulingAttributes {
    let number = number_of(thread);
    let mut figures = Vec::new();
    for resource in 0..RESOURCES {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the new limit is none, and the old one is written to a structure that outlives the call.
        unsafe { libc::prlimit(number, resource, std::ptr::null(), &raw mut limit) };
        figures.push(limit.rlim_max);
        // Each second after the soft limit of these, the kernel sends SIGXCPU and adds a second to the limit
        // (kernel/time/posix-cpu-timers.c). Whoever lowers one gains no more than by sending that signal.
        if resource != libc::RLIMIT_CPU && resource != libc::RLIMIT_RTTIME {
            figures.push(limit.rlim_cur);
        }
    }
    let mut processors = [0; PROCESSOR_WORDS];
    // SAFETY: the kernel writes at most the given size; the other calls take no pointer.
    unsafe {
        libc::syscall(libc::SYS_sched_getaffinity, number, size_of_val(&processors), &raw mut processors);
        figures.push(libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, number).cast_unsigned());
        let answer = libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, number);
        figures.push(io_priority(answer).cast_unsigned());
    }
    let mut attributes = attributes(number);
    let has_deadline = attributes[POLICY] >> 32 == u64::from(libc::SCHED_DEADLINE.cast_unsigned());
    let slice = if has_deadline { 0 } else { std::mem::take(&mut attributes[RUNTIME]) };
    figures.extend(attributes);
    SchedulingAttributes { figures, processors, slice }
}

/// The priority of a thread's input and output, from an answer of ioprio_get(2). A thread that nobody has given one has
/// none (0), but some kernels answer something else before its first use of a block device: Linux 5.10 no class and level 4,
/// some until 5.19 "best effort" (2) and level 4. Both mean the same as none, and nobody can set the first.
fn io_priority(answer: libc::c_long) -> libc::c_long {
    const NO_CLASS: libc::c_long = 4;
    const BEST_EFFORT: libc::c_long = 2 << 13 | 4;
    if answer == NO_CLASS || answer == BEST_EFFORT { 0 } else { answer }
}

/// Lets a thread run on these processors, or on those of them that the host gives it.
pub fn set_processors(thread: Option<Pid>, processors: &[u64; PROCESSOR_WORDS]) -> io::Result<()> {
    // SAFETY: the kernel reads no more than the given size.
    let set = unsafe {
        libc::syscall(
            libc::SYS_sched_setaffinity,
            number_of(thread),
            size_of_val(processors),
            std::ptr::from_ref(processors),
        )
    };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives a thread without deadlines a time slice, in nanoseconds; 0 is the kernel's own.
pub fn set_slice(thread: Option<Pid>, slice: u64) -> io::Result<()> {
    let number = number_of(thread);
    let mut attributes = attributes(number);
    attributes[RUNTIME] = slice;
    // SAFETY: the structure begins with its size.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, number, &raw mut attributes, 0) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn attributes(number: i32) -> [u64; ATTRIBUTE_WORDS] {
    let mut attributes = [0; ATTRIBUTE_WORDS];
    // SAFETY: the kernel writes at most the given size.
    unsafe { libc::syscall(libc::SYS_sched_getattr, number, &raw mut attributes, size_of_val(&attributes), 0) };
    attributes
}

fn number_of(thread: Option<Pid>) -> i32 {
    thread.map_or(0, |thread| thread.as_raw_nonzero().get())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_kernels_about_a_thread_without_a_priority_are_the_same() {
        for unset in [0, 4, 0x4004] {
            assert_eq!(io_priority(unset), 0, "{unset:#x}");
        }
        // Idle, realtime, other levels of best effort, and no answer.
        for set in [3 << 13, 1 << 13, 1 << 13 | 4, 2 << 13, 2 << 13 | 3, 2 << 13 | 7, -1] {
            assert_eq!(io_priority(set), set, "{set:#x}");
        }
    }
}

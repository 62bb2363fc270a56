//! The system calls that a script may make, with the reason for each unusual line.
//!
//! The list is what CPython, numpy, pandas, matplotlib, threads, multiprocessing, subprocess, sqlite3 and asyncio use,
//! and never more than Docker's default profile allows.

use std::collections::BTreeMap;

use super::isolation::Isolation;
use super::program::{Condition, Rule};
use crate::sandbox::policy::NICENESS;

/// New enough to have the same number on all architectures; the libc crate knows it on some only.
pub(super) const FCHMODAT2: libc::c_long = 452;

/// Of linux/stat.h.
const STATX_MNT_ID_UNIQUE: u64 = 0x4000;

/// Allowed with any arguments.
#[rustfmt::skip]
const ALLOWED: &[libc::c_long] = &[
    // Files. Which ones is decided by the mounts and Landlock, not here.
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64,
    libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_openat, libc::SYS_close, libc::SYS_lseek, libc::SYS_fstat, libc::SYS_newfstatat,
    libc::SYS_statfs, libc::SYS_fstatfs, libc::SYS_getdents64, libc::SYS_readlinkat, libc::SYS_faccessat,
    libc::SYS_faccessat2, libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_linkat,
    libc::SYS_symlinkat, libc::SYS_fchmod, libc::SYS_fchmodat, FCHMODAT2, libc::SYS_fchown, libc::SYS_fchownat,
    libc::SYS_utimensat, libc::SYS_truncate, libc::SYS_ftruncate,
    libc::SYS_readahead, libc::SYS_flock, libc::SYS_umask, libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_getcwd,
    libc::SYS_copy_file_range,
    // shutil copies extended attributes; there are none to be found, and none can be set (see NOT_SUPPORTED).
    libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr,
    libc::SYS_flistxattr,
    // Descriptors and waiting for them.
    libc::SYS_dup, libc::SYS_dup3, libc::SYS_pipe2, libc::SYS_eventfd2, libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime, libc::SYS_signalfd4, libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_ppoll, libc::SYS_pselect6,
    // What a connected socketpair needs; none can be connected elsewhere (see CONDITIONAL).
    libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_shutdown, libc::SYS_getsockname, libc::SYS_getpeername,
    // Memory.
    libc::SYS_munmap, libc::SYS_mprotect, libc::SYS_mremap, libc::SYS_brk, libc::SYS_mlock, libc::SYS_mlock2, libc::SYS_munlock, libc::SYS_mlockall,
    libc::SYS_munlockall, libc::SYS_membarrier,
    // Processes and threads, within RLIMIT_NPROC.
    libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_wait4, libc::SYS_waitid,
    libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal,
    libc::SYS_getpid, libc::SYS_getppid, libc::SYS_gettid, libc::SYS_getpgid, libc::SYS_setpgid, libc::SYS_getsid,
    libc::SYS_setsid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid, libc::SYS_getresuid,
    libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_capget, libc::SYS_set_tid_address,
    libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq, libc::SYS_futex, libc::SYS_futex_waitv,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler, libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min,
    libc::SYS_sched_rr_get_interval, libc::SYS_getpriority, libc::SYS_getcpu, libc::SYS_getrusage, libc::SYS_times,
    // Signals and time.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend, libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigqueueinfo, libc::SYS_sigaltstack,
    libc::SYS_restart_syscall, libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_getitimer,
    libc::SYS_setitimer, libc::SYS_timer_settime, libc::SYS_timer_gettime, libc::SYS_timer_getoverrun, libc::SYS_timer_delete,
    // The system.
    libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getrandom,
];

/// The older forms of the same calls, which only x86_64 has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_ON_ARCHITECTURE: &[libc::c_long] = &[
    libc::SYS_open, libc::SYS_creat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_mkdir,
    libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename, libc::SYS_renameat, libc::SYS_link, libc::SYS_symlink,
    libc::SYS_readlink, libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes,
    libc::SYS_futimesat, libc::SYS_getdents, libc::SYS_dup2, libc::SYS_pipe, libc::SYS_eventfd,
    libc::SYS_signalfd, libc::SYS_epoll_create, libc::SYS_epoll_wait, libc::SYS_poll, libc::SYS_select,
    libc::SYS_fork, libc::SYS_vfork, libc::SYS_getpgrp, libc::SYS_alarm, libc::SYS_pause, libc::SYS_time,
];
#[cfg(target_arch = "aarch64")]
const ALLOWED_ON_ARCHITECTURE: &[libc::c_long] = &[libc::SYS_renameat];

/// Answered with ENOSYS, so that the caller takes an older way.
const NOT_IMPLEMENTED: &[libc::c_long] = &[
    // Its flags are in memory, where a filter cannot see them; the C library falls back to clone.
    libc::SYS_clone3,
    // Tells which pages of the runtime others have read.
    libc::SYS_mincore,
    // Its flags are in memory too, and one of them (RESOLVE_CACHED) tells which names others have looked up.
    libc::SYS_openat2,
];

/// Done at once: nothing of a script outlives it, so nothing need be on a disk. A script could have the host's disks flush their caches
/// thousands of times a second, by a file of the runtime.
const DONE: &[libc::c_long] = &[libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_msync];

/// Answered with ENOTSUP: what programs expect of a file system without extended attributes, which are kernel memory that no limit
/// counts.
const NOT_SUPPORTED: &[libc::c_long] = &[
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
];

/// Every flag of clone(2) that makes a namespace. CLONE_NEWTIME shares its bit with the exit signal and is for clone3
/// and unshare only.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// Allowed for some arguments.
#[allow(clippy::cast_possible_wrap, reason = "small constants, whose types differ between architectures")]
fn conditional() -> Vec<(libc::c_long, Condition)> {
    use Condition::{Both, NoBits, Unlike};
    let shared_anonymous = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64;
    let mut conditions = held_in_the_kernel();
    conditions.extend([
        // Shared anonymous memory stays when no page table names it any more, so that no figure of the kernel shows how
        // much there is; huge pages are in no process's resident size; what grows downwards is not in RLIMIT_DATA. Files in
        // /dev/shm, which multiprocessing uses, are bounded by their file system.
        (
            libc::SYS_mmap,
            Both(
                Box::new(Unlike { argument: 3, mask: shared_anonymous, value: shared_anonymous }),
                Box::new(NoBits(3, (libc::MAP_HUGETLB | libc::MAP_GROWSDOWN) as u64)),
            ),
        ),
        // Other processes' limits are none of a script's business; 0 is the caller.
        (libc::SYS_prlimit64, one_of(0, &[0])),
        // Its own only, and for the worse: gVisor lets a process raise its priority.
        (
            libc::SYS_setpriority,
            Both(
                Box::new(Both(Box::new(one_of(0, &[i64::from(libc::PRIO_PROCESS)])), Box::new(one_of(1, &[0])))),
                Box::new(one_of(2, &(i64::from(NICENESS)..=19).collect::<Vec<_>>())),
            ),
        ),
        (libc::SYS_sched_setaffinity, one_of(0, &[0])),
        // The unique number of a mount tells how many mounts there have ever been on the host (Linux 6.8).
        (libc::SYS_statx, NoBits(3, STATX_MNT_ID_UNIQUE)),
        // Its own, to what it is: posix_spawn asks for that.
        (
            libc::SYS_sched_setscheduler,
            Both(Box::new(one_of(0, &[0])), Box::new(one_of(1, &[libc::SCHED_OTHER.into()]))),
        ),
        // multiprocessing and asyncio talk to themselves over stream pairs. A datagram pair could be given a name and
        // reach another worker; any other family is kernel code that no script needs.
        (
            libc::SYS_socketpair,
            Both(Box::new(one_of(0, &[libc::AF_UNIX.into()])), Box::new(one_of(1, &stream_types()))),
        ),
        // To the connected peer only: with an address it could reach others. With flags that send(2) is used with: the
        // kernel's code for out-of-band data on local sockets has let others out (CVE-2025-38236).
        (libc::SYS_sendto, Both(Box::new(one_of(4, &[0])), Box::new(NoBits(3, !SEND_FLAGS)))),
        // No SO_PEERPIDFD: it would be a handle to the service, which is at the other end of the channel.
        (
            libc::SYS_getsockopt,
            Both(Box::new(one_of(1, &[libc::SOL_SOCKET.into()])), Box::new(one_of(2, &SOCKET_OPTIONS.map(i64::from)))),
        ),
        // All advice but POSIX_FADV_DONTNEED: what other jobs have read of the runtime could be thrown out of memory, and
        // then be watched coming back.
        (
            libc::SYS_fadvise64,
            one_of(
                3,
                &[
                    libc::POSIX_FADV_NORMAL.into(),
                    libc::POSIX_FADV_RANDOM.into(),
                    libc::POSIX_FADV_SEQUENTIAL.into(),
                    libc::POSIX_FADV_WILLNEED.into(),
                    libc::POSIX_FADV_NOREUSE.into(),
                ],
            ),
        ),
        (
            libc::SYS_ioctl,
            one_of(
                1,
                &[
                    // isatty, the size of a terminal, bytes waiting, non-blocking, close-on-exec: nothing else.
                    libc::TCGETS as i64,
                    libc::TIOCGWINSZ as i64,
                    libc::FIONREAD as i64,
                    libc::FIONBIO as i64,
                    libc::FIOCLEX as i64,
                    libc::FIONCLEX as i64,
                ],
            ),
        ),
        (
            libc::SYS_prctl,
            one_of(
                0,
                &[
                    libc::PR_SET_NAME.into(),
                    libc::PR_GET_NAME.into(),
                    libc::PR_SET_PDEATHSIG.into(),
                    libc::PR_GET_PDEATHSIG.into(),
                    libc::PR_GET_DUMPABLE.into(),
                    libc::PR_GET_NO_NEW_PRIVS.into(),
                    libc::PR_CAPBSET_READ.into(),
                    // The C library names its arenas for /proc/self/maps.
                    libc::PR_SET_VMA.into(),
                ],
            ),
        ),
        (libc::SYS_fcntl, commands_on_descriptors()),
    ]);
    // The processor time of any process can be asked for as a clock: of the monitor, too, which tells of earlier jobs.
    conditions.extend(CLOCKS.iter().map(|call| (*call, one_of(0, &(0..=LAST_CLOCK).collect::<Vec<_>>()))));
    conditions
}

/// What fcntl(2) may do. No lock of an open file (F_OFD_SETLK), which the kernel tells nobody the holder of; no pipe of more than the
/// default size, with which pipes are counted (`Weights::pipe`): larger ones are kernel memory that no limit of ours counts.
fn commands_on_descriptors() -> Condition {
    use Condition::{Both, Either, NoBits};
    const PIPE_BYTES: u64 = 64 << 10;
    let commands = [
        libc::F_DUPFD,
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_SETFL,
        libc::F_GETLK,
        libc::F_SETLK,
        libc::F_SETLKW,
        libc::F_OFD_GETLK,
        libc::F_GETPIPE_SZ,
        libc::F_GET_SEALS,
        // Before a script starts, the worker seals its standard input with it.
        libc::F_ADD_SEALS,
    ];
    let up_to_the_default =
        Either(Box::new(NoBits(2, !(PIPE_BYTES - 1))), Box::new(Condition::OneOf(2, vec![PIPE_BYTES])));
    let resize = Both(Box::new(one_of(1, &[libc::F_SETPIPE_SZ.into()])), Box::new(up_to_the_default));
    Either(Box::new(one_of(1, &commands.map(i64::from))), Box::new(resize))
}

/// Conditions of what would be held, or told, by the kernel out of everybody's sight.
fn held_in_the_kernel() -> Vec<(libc::c_long, Condition)> {
    use Condition::{Both, NoBits, Unlike};
    let threads_share_files = (libc::CLONE_THREAD | libc::CLONE_FILES) as u64;
    vec![
        // A thread has its process's table of descriptors: in a table of its own, nobody would see what they hold, because
        // /proc/PID/fd is the main thread's. And a process has a table of its own: record locks belong to the table, and no list
        // shows those of a process that has ended and shared it.
        (
            libc::SYS_clone,
            Both(
                Box::new(NoBits(0, NAMESPACES)),
                Box::new(Both(
                    Box::new(Unlike { argument: 0, mask: threads_share_files, value: libc::CLONE_THREAD as u64 }),
                    Box::new(Unlike { argument: 0, mask: threads_share_files, value: libc::CLONE_FILES as u64 }),
                )),
            ),
        ),
        // CLOSE_RANGE_UNSHARE makes such a table.
        (libc::SYS_close_range, NoBits(2, libc::CLOSE_RANGE_UNSHARE.into())),
        // RWF_NOWAIT tells whether others have read a page of the runtime, RWF_DONTCACHE throws it out.
        (libc::SYS_preadv2, NoBits(5, CACHE_FLAGS)),
        (libc::SYS_pwritev2, NoBits(5, CACHE_FLAGS)),
        // Any other mode than 0 takes room beyond RLIMIT_FSIZE (FALLOC_FL_KEEP_SIZE), or is of no use without it.
        (libc::SYS_fallocate, one_of(1, &[0])),
        (libc::SYS_madvise, one_of(2, &ADVICE.map(i64::from))),
    ]
}

/// Calls whose first argument is a clock, which may be the processor time of any process.
const CLOCKS: &[libc::c_long] =
    &[libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep, libc::SYS_timer_create];

/// The clocks that are nobody else's (clock_gettime(2)): up to CLOCK_TAI.
const LAST_CLOCK: i64 = 11;

/// RWF_NOWAIT and RWF_DONTCACHE of linux/fs.h.
const CACHE_FLAGS: u64 = 0x8 | 0x80;

/// The advice that madvise(2) takes. Not MADV_COLD and MADV_PAGEOUT, by which pages of the runtime could be thrown out of
/// memory, and then be watched coming back when others read them; not MADV_MERGEABLE, which tells by timing whether others
/// have the same page; not MADV_HWPOISON and MADV_SOFT_OFFLINE.
const ADVICE: [i32; 20] = [
    libc::MADV_NORMAL,
    libc::MADV_RANDOM,
    libc::MADV_SEQUENTIAL,
    libc::MADV_WILLNEED,
    libc::MADV_DONTNEED,
    libc::MADV_FREE,
    libc::MADV_REMOVE,
    libc::MADV_DONTFORK,
    libc::MADV_DOFORK,
    libc::MADV_HUGEPAGE,
    libc::MADV_NOHUGEPAGE,
    libc::MADV_DONTDUMP,
    libc::MADV_DODUMP,
    libc::MADV_WIPEONFORK,
    libc::MADV_KEEPONFORK,
    libc::MADV_POPULATE_READ,
    libc::MADV_POPULATE_WRITE,
    libc::MADV_COLLAPSE,
    // MADV_GUARD_INSTALL and MADV_GUARD_REMOVE of asm-generic/mman-common.h (Linux 6.13), which newer C libraries use.
    102,
    103,
];

/// The thread pointer, which every program sets, and AMX registers, for which BLAS asks where there are any.
#[cfg(target_arch = "x86_64")]
fn conditional_on_architecture() -> Vec<(libc::c_long, Condition)> {
    // Of asm/prctl.h: ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS, ARCH_GET_XCOMP_SUPP, ARCH_GET_XCOMP_PERM,
    // ARCH_REQ_XCOMP_PERM.
    vec![(libc::SYS_arch_prctl, one_of(0, &[0x1001, 0x1002, 0x1003, 0x1004, 0x1021, 0x1022, 0x1023]))]
}
#[cfg(target_arch = "aarch64")]
fn conditional_on_architecture() -> Vec<(libc::c_long, Condition)> {
    Vec::new()
}

/// What may be asked of a socket: what Python asks of one that it is given, and what tells nothing of others.
const SOCKET_OPTIONS: [i32; 9] = [
    libc::SO_TYPE,
    libc::SO_ERROR,
    libc::SO_DOMAIN,
    libc::SO_PROTOCOL,
    libc::SO_ACCEPTCONN,
    libc::SO_SNDBUF,
    libc::SO_RCVBUF,
    libc::SO_SNDTIMEO,
    libc::SO_RCVTIMEO,
];

const SEND_FLAGS: u64 = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | libc::MSG_MORE | libc::MSG_EOR) as u64;

fn one_of(argument: u8, values: &[i64]) -> Condition {
    Condition::OneOf(argument, values.iter().map(|value| value.cast_unsigned()).collect())
}

fn stream_types() -> [i64; 4] {
    let (cloexec, nonblock) = (i64::from(libc::SOCK_CLOEXEC), i64::from(libc::SOCK_NONBLOCK));
    let stream = i64::from(libc::SOCK_STREAM);
    [stream, stream | cloexec, stream | nonblock, stream | cloexec | nonblock]
}

/// The whole policy, by call number. What is missing is refused with EPERM; among it, on purpose:
/// socket, bind, connect, listen, accept (no network of any kind); sendmsg (it can name an address, and hide memory in
/// descriptors under way; send and write do for a pair); ptrace, process_vm_*, pidfd_getfd, kcmp (other
/// processes); mount, unshare, setns, chroot, pivot_root (namespaces); bpf, perf_event_open, userfaultfd, io_uring_*,
/// keyctl, add_key, splice, tee, vmsplice (kernel surface that exploits came through); sendfile (it puts pages of files into
/// sockets by reference, where they stay when the file is gone; Python's library copies instead); memfd_create, shmget, msgget,
/// semget, mq_open, landlock_*, mknod (memory that is in no process's account: the descriptor of a FIFO looks like a
/// file's, whatever its buffer holds); set*id, capset, personality, seccomp.
pub fn rules(surroundings: Isolation) -> BTreeMap<u32, Rule> {
    let number = |call: libc::c_long| u32::try_from(call).expect("call numbers are small and positive");
    let mut rules = BTreeMap::new();
    for call in ALLOWED.iter().chain(ALLOWED_ON_ARCHITECTURE) {
        rules.insert(number(*call), Rule::Allow);
    }
    for call in NOT_IMPLEMENTED {
        rules.insert(number(*call), Rule::Refuse(libc::ENOSYS as u16));
    }
    for call in DONE {
        rules.insert(number(*call), Rule::Refuse(0));
    }
    for call in NOT_SUPPORTED {
        rules.insert(number(*call), Rule::Refuse(libc::ENOTSUP as u16));
    }
    for (call, condition) in conditional().into_iter().chain(conditional_on_architecture()) {
        rules.insert(number(call), Rule::When(condition));
    }
    surroundings.narrow(&mut rules);
    rules
}

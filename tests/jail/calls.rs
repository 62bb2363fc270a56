//! The system calls that hosts refuse, as plain data: what a host does not name, it allows.

use libc::{ENOSYS, EPERM};

/// Calls that get one answer.
pub struct Refusals {
    pub answer: i32,
    pub calls: &'static [Call],
}

pub struct Call {
    pub number: i64,
    pub when: When,
}

/// The condition on the first argument, if no other is named, under which a call is refused.
pub enum When {
    Always,
    /// It has this value.
    Is(u64),
    /// The argument of this number, a pointer, points to something.
    Given(u8),
    /// A new limit for this resource is given (prlimit(2)).
    Limits(u64),
    /// One of these flags is set.
    AnyOf(&'static [u64]),
    /// It has another value than these.
    NoneOf(&'static [u64]),
}

const fn always(number: i64) -> Call {
    Call { number, when: When::Always }
}

/// Every flag of clone(2) that makes a namespace. A time namespace cannot be asked for there.
const NAMESPACES: &[u64] = &[
    libc::CLONE_NEWNS as u64,
    libc::CLONE_NEWCGROUP as u64,
    libc::CLONE_NEWUTS as u64,
    libc::CLONE_NEWIPC as u64,
    libc::CLONE_NEWUSER as u64,
    libc::CLONE_NEWPID as u64,
    libc::CLONE_NEWNET as u64,
];

/// Linux, Linux for 32 bits, both with the address layout of old times, and the question for the present one.
const PERSONALITIES: &[u64] = &[0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Docker's default profile for a container without capabilities: whatever its list of allowed calls leaves out or ties to
/// a capability.
pub const DOCKER: &[Refusals] = &[
    // A filter cannot see the flags of clone3, so C libraries are told to use clone.
    Refusals { answer: ENOSYS, calls: &[always(libc::SYS_clone3)] },
    Refusals { answer: EPERM, calls: DOCKER_REFUSED },
];

const DOCKER_REFUSED: &[Call] = &[
    Call { number: libc::SYS_clone, when: When::AnyOf(NAMESPACES) },
    Call { number: libc::SYS_personality, when: When::NoneOf(PERSONALITIES) },
    // CAP_SYS_ADMIN.
    always(libc::SYS_bpf),
    always(libc::SYS_fanotify_init),
    always(libc::SYS_fsconfig),
    always(libc::SYS_fsmount),
    always(libc::SYS_fsopen),
    always(libc::SYS_fspick),
    always(libc::SYS_lookup_dcookie),
    always(libc::SYS_mount),
    always(libc::SYS_mount_setattr),
    always(libc::SYS_move_mount),
    always(libc::SYS_open_tree),
    always(libc::SYS_perf_event_open),
    always(libc::SYS_quotactl),
    always(libc::SYS_quotactl_fd),
    always(libc::SYS_setdomainname),
    always(libc::SYS_sethostname),
    always(libc::SYS_setns),
    always(libc::SYS_syslog),
    always(libc::SYS_umount2),
    always(libc::SYS_unshare),
    // CAP_SYS_CHROOT, which Docker grants to root and these hosts have given up.
    always(libc::SYS_chroot),
    // CAP_DAC_READ_SEARCH. Docker allows the making of handles; the cautious refuse that too.
    always(libc::SYS_open_by_handle_at),
    always(libc::SYS_name_to_handle_at),
    // CAP_SYS_PTRACE. Docker allows ptrace on kernels since 4.8; the cautious refuse that too.
    always(libc::SYS_kcmp),
    always(libc::SYS_pidfd_getfd),
    always(libc::SYS_process_madvise),
    always(libc::SYS_ptrace),
    // CAP_SYS_MODULE, CAP_SYS_BOOT, CAP_SYS_PACCT, CAP_SYS_TIME, CAP_SYS_TTY_CONFIG.
    always(libc::SYS_delete_module),
    always(libc::SYS_finit_module),
    always(libc::SYS_init_module),
    always(libc::SYS_reboot),
    always(libc::SYS_acct),
    always(libc::SYS_clock_settime),
    always(libc::SYS_settimeofday),
    always(libc::SYS_vhangup),
    // CAP_SYS_NICE.
    always(libc::SYS_get_mempolicy),
    always(libc::SYS_mbind),
    always(libc::SYS_set_mempolicy),
    always(libc::SYS_set_mempolicy_home_node),
    // Refused to everybody: keys and page moves know no namespaces, io_uring and userfaultfd serve exploits.
    always(libc::SYS_add_key),
    always(libc::SYS_keyctl),
    always(libc::SYS_request_key),
    always(libc::SYS_migrate_pages),
    always(libc::SYS_move_pages),
    always(libc::SYS_io_uring_enter),
    always(libc::SYS_io_uring_register),
    always(libc::SYS_io_uring_setup),
    always(libc::SYS_userfaultfd),
    always(libc::SYS_kexec_file_load),
    always(libc::SYS_kexec_load),
    always(libc::SYS_nfsservctl),
    always(libc::SYS_pivot_root),
    always(libc::SYS_swapoff),
    always(libc::SYS_swapon),
    #[cfg(target_arch = "x86_64")]
    always(libc::SYS_ioperm),
    #[cfg(target_arch = "x86_64")]
    always(libc::SYS_iopl),
    #[cfg(target_arch = "x86_64")]
    always(libc::SYS_sysfs),
    #[cfg(target_arch = "x86_64")]
    always(libc::SYS_uselib),
    #[cfg(target_arch = "x86_64")]
    always(libc::SYS_ustat),
];

/// What functions on AWS Lambda are reported to be refused, by its filter or by its kernel of version 5.10.
pub const LAMBDA: &[Refusals] =
    &[Refusals { answer: ENOSYS, calls: LAMBDA_UNKNOWN }, Refusals { answer: EPERM, calls: LAMBDA_REFUSED }];

const LAMBDA_UNKNOWN: &[Call] = &[
    always(libc::SYS_clone3),
    // Newer than the kernel.
    always(libc::SYS_epoll_pwait2),
    always(libc::SYS_futex_waitv),
    always(libc::SYS_landlock_add_rule),
    always(libc::SYS_landlock_create_ruleset),
    always(libc::SYS_landlock_restrict_self),
    always(libc::SYS_memfd_secret),
    always(libc::SYS_process_mrelease),
    always(libc::SYS_quotactl_fd),
    always(libc::SYS_set_mempolicy_home_node),
];

const LAMBDA_REFUSED: &[Call] = &[
    // Every option that anybody has reported: PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG.
    always(libc::SYS_prctl),
    always(libc::SYS_seccomp),
    Call { number: libc::SYS_clone, when: When::AnyOf(NAMESPACES) },
    always(libc::SYS_setns),
    always(libc::SYS_unshare),
    always(libc::SYS_chroot),
    always(libc::SYS_pivot_root),
    always(libc::SYS_fsconfig),
    always(libc::SYS_fsmount),
    always(libc::SYS_fsopen),
    always(libc::SYS_fspick),
    always(libc::SYS_mount),
    always(libc::SYS_mount_setattr),
    always(libc::SYS_move_mount),
    always(libc::SYS_open_tree),
    always(libc::SYS_umount2),
    always(libc::SYS_ptrace),
    // Identity: seteuid is reported; its relatives follow.
    always(libc::SYS_capset),
    always(libc::SYS_setfsgid),
    always(libc::SYS_setfsuid),
    always(libc::SYS_setgid),
    always(libc::SYS_setgroups),
    always(libc::SYS_setregid),
    always(libc::SYS_setresgid),
    always(libc::SYS_setresuid),
    always(libc::SYS_setreuid),
    always(libc::SYS_setuid),
    // Reported for databases that reserve space.
    always(libc::SYS_fallocate),
    // What no profile gives to a function.
    always(libc::SYS_add_key),
    always(libc::SYS_bpf),
    always(libc::SYS_io_uring_enter),
    always(libc::SYS_io_uring_register),
    always(libc::SYS_io_uring_setup),
    always(libc::SYS_keyctl),
    always(libc::SYS_open_by_handle_at),
    always(libc::SYS_perf_event_open),
    always(libc::SYS_request_key),
    always(libc::SYS_userfaultfd),
];

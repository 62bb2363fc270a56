//! What each jail answers to system calls. Where the kernel itself would refuse with EPERM, the arguments are such that it
//! finds another fault first: EPERM is then the filter's.

use serde_json::{Value, json};

pub struct Try {
    pub name: &'static str,
    pub number: i64,
    pub arguments: Value,
    pub user: &'static str,
    pub container: &'static str,
    pub lambda: &'static str,
}

/// Answers in this order: an ordinary user's (the twin: the same call without a jail), a container's, Lambda's.
fn row(name: &'static str, number: i64, arguments: Value, answers: [&'static str; 3]) -> Try {
    let [user, container, lambda] = answers;
    Try { name, number, arguments, user, container, lambda }
}

/// No descriptor, and no address.
const BAD: u64 = u64::MAX;

/// clone(2) with SIGCHLD, so that the child can be waited for.
const CHILD: i32 = libc::SIGCHLD;

#[rustfmt::skip]
pub fn table() -> Vec<Try> {
    let mut table = vec![
        // Namespaces.
        row("unshare user", libc::SYS_unshare, json!([libc::CLONE_NEWUSER]), ["OK", "EPERM", "EPERM"]),
        row("unshare user and more", libc::SYS_unshare, json!([libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID]), ["OK", "EPERM", "EPERM"]),
        row("setns", libc::SYS_setns, json!([BAD, 0]), ["EBADF", "EPERM", "EPERM"]),
        row("clone", libc::SYS_clone, json!([CHILD, 0, 0, 0, 0]), ["OK", "OK", "OK"]),
        row("clone3", libc::SYS_clone3, json!([0, 0]), ["EINVAL", "ENOSYS", "ENOSYS"]),
        // Files.
        row("chroot", libc::SYS_chroot, json!([0]), ["EFAULT", "EPERM", "EPERM"]),
        row("mount", libc::SYS_mount, json!(["none", 1, "tmpfs", 0, 0]), ["EFAULT", "EPERM", "EPERM"]),
        row("umount2", libc::SYS_umount2, json!(["/proc", 0x100]), ["EINVAL", "EPERM", "EPERM"]),
        row("fsconfig", libc::SYS_fsconfig, json!([BAD, 0, 0, 0, 0]), ["EINVAL", "EPERM", "EPERM"]),
        row("open_tree", libc::SYS_open_tree, json!([0, "/", 0]), ["OK", "EPERM", "EPERM"]),
        row("mount_setattr", libc::SYS_mount_setattr, json!([0, "/", 0x8000_0000_u32, 0, 0]), ["EINVAL", "EPERM", "EPERM"]),
        row("fallocate", libc::SYS_fallocate, json!([BAD, 0, 0, 1]), ["EBADF", "EBADF", "EPERM"]),
        row("name_to_handle_at", libc::SYS_name_to_handle_at, json!([0, "/", 1, 1, 0]), ["EFAULT", "EPERM", "EFAULT"]),
        row("memfd_create", libc::SYS_memfd_create, json!(["m", 0]), ["OK", "OK", "OK"]),
        row("openat2", libc::SYS_openat2, json!([0, "/", 0, 0]), ["EINVAL", "EINVAL", "EINVAL"]),
        // Other processes.
        row("ptrace", libc::SYS_ptrace, json!([libc::PTRACE_SEIZE, 0, 0, 0]), ["ESRCH", "EPERM", "EPERM"]),
        row("process_vm_readv", libc::SYS_process_vm_readv, json!([0, 0, 0, 0, 0, 1]), ["EINVAL", "EINVAL", "EINVAL"]),
        row("kcmp", libc::SYS_kcmp, json!([0, 0, 0, 0, 0]), ["ESRCH", "EPERM", "ESRCH"]),
        row("kill of nobody", libc::SYS_kill, json!([0x3fff_ffff, 0]), ["ESRCH", "ESRCH", "ESRCH"]),
        row("prlimit64", libc::SYS_prlimit64, json!([0, libc::RLIMIT_NOFILE, 0, 0]), ["OK", "OK", "OK"]),
        row("pidfd_open", libc::SYS_pidfd_open, json!([BAD, 0]), ["EINVAL", "EINVAL", "EINVAL"]),
        // Who one is.
        row("setuid", libc::SYS_setuid, json!([u32::MAX]), ["EINVAL", "EINVAL", "EPERM"]),
        row("setgid", libc::SYS_setgid, json!([u32::MAX]), ["EINVAL", "EINVAL", "EPERM"]),
        row("setresuid", libc::SYS_setresuid, json!([u32::MAX, u32::MAX, u32::MAX]), ["OK", "OK", "EPERM"]),
        row("setresgid", libc::SYS_setresgid, json!([u32::MAX, u32::MAX, u32::MAX]), ["OK", "OK", "EPERM"]),
        row("capset", libc::SYS_capset, json!([0, 0]), ["EFAULT", "EFAULT", "EPERM"]),
        row("personality of BSD", libc::SYS_personality, json!([6]), ["OK", "EPERM", "OK"]),
        row("personality, asked", libc::SYS_personality, json!([0xffff_ffff_u32]), ["OK", "OK", "OK"]),
        // Sandboxes of one's own.
        row("prctl PR_SET_NO_NEW_PRIVS", libc::SYS_prctl, json!([libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]), ["OK", "OK", "EPERM"]),
        row("prctl PR_SET_NAME", libc::SYS_prctl, json!([libc::PR_SET_NAME, "name"]), ["OK", "OK", "EPERM"]),
        row("prctl PR_SET_DUMPABLE", libc::SYS_prctl, json!([libc::PR_SET_DUMPABLE, 0, 0, 0, 0]), ["OK", "OK", "EPERM"]),
        row("prctl PR_SET_PDEATHSIG", libc::SYS_prctl, json!([libc::PR_SET_PDEATHSIG, 9]), ["OK", "OK", "EPERM"]),
        row("seccomp", libc::SYS_seccomp, json!([libc::SECCOMP_SET_MODE_FILTER, 0, 0]), ["EFAULT", "EFAULT", "EPERM"]),
        row("Landlock's version", libc::SYS_landlock_create_ruleset, json!([0, 0, 1]), ["OK", "OK", "ENOSYS"]),
        row("landlock_restrict_self", libc::SYS_landlock_restrict_self, json!([BAD, 0xff00]), ["EPERM", "EPERM", "ENOSYS"]),
        // Doors to the kernel.
        row("bpf", libc::SYS_bpf, json!([0, 0, 1 << 20]), ["E2BIG", "EPERM", "EPERM"]),
        row("perf_event_open", libc::SYS_perf_event_open, json!([0, 0, 0, 0, 1 << 20]), ["EINVAL", "EPERM", "EPERM"]),
        row("keyctl", libc::SYS_keyctl, json!([BAD]), ["ENOTSUP", "EPERM", "EPERM"]),
        row("add_key", libc::SYS_add_key, json!([0, 0, 0, 1 << 30, 0]), ["EINVAL", "EPERM", "EPERM"]),
        row("request_key", libc::SYS_request_key, json!([0, 0, 0, 0]), ["EFAULT", "EPERM", "EPERM"]),
        row("userfaultfd", libc::SYS_userfaultfd, json!([BAD]), ["EINVAL", "EPERM", "EPERM"]),
        row("io_uring_setup", libc::SYS_io_uring_setup, json!([0, 0]), ["EFAULT", "EPERM", "EPERM"]),
        row("io_uring_enter", libc::SYS_io_uring_enter, json!([BAD, 0, 0, 0, 0, 0]), ["EBADF", "EPERM", "EPERM"]),
    ];
    for (name, flag) in [
        ("clone NEWNS", libc::CLONE_NEWNS),
        ("clone NEWCGROUP", libc::CLONE_NEWCGROUP),
        ("clone NEWUTS", libc::CLONE_NEWUTS),
        ("clone NEWIPC", libc::CLONE_NEWIPC),
        ("clone NEWPID", libc::CLONE_NEWPID),
        ("clone NEWNET", libc::CLONE_NEWNET),
    ] {
        let flags = CHILD | libc::CLONE_NEWUSER | flag;
        table.push(row(name, libc::SYS_clone, json!([flags, 0, 0, 0, 0]), ["OK", "EPERM", "EPERM"]));
    }
    table
}

/// Calls that the kernel too refuses to whoever has no capabilities: the filter is asked first, but it cannot be told.
pub fn refused_to_all() -> Vec<(&'static str, i64)> {
    vec![
        ("pivot_root", libc::SYS_pivot_root),
        ("fsopen", libc::SYS_fsopen),
        ("fspick", libc::SYS_fspick),
        ("fsmount", libc::SYS_fsmount),
        ("move_mount", libc::SYS_move_mount),
        ("open_by_handle_at", libc::SYS_open_by_handle_at),
        ("init_module", libc::SYS_init_module),
        ("finit_module", libc::SYS_finit_module),
        ("delete_module", libc::SYS_delete_module),
        ("kexec_load", libc::SYS_kexec_load),
        ("reboot", libc::SYS_reboot),
        ("swapon", libc::SYS_swapon),
        ("swapoff", libc::SYS_swapoff),
        ("syslog", libc::SYS_syslog),
        ("acct", libc::SYS_acct),
        ("quotactl", libc::SYS_quotactl),
    ]
}

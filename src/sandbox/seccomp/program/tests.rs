//! The compiler: programs are run by an interpreter, so that every rule is checked without a kernel.

use std::collections::BTreeMap;

use super::interpreter::run;
use super::{ARCHITECTURE, Condition, LAST_KNOWN, Rule, compile};
use crate::sandbox::Isolation;
use crate::sandbox::seccomp::calls;

/// Of linux/audit.h.
const AUDIT_ARCH_I386: u32 = 0x4000_0003;

const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

fn decide(rule: Rule, arguments: [u64; 6]) -> u32 {
    run(&compile(&BTreeMap::from([(7, rule)])), ARCHITECTURE, 7, arguments)
}

#[test]
fn every_call_number_gets_its_own_rule() {
    let rules = calls::rules(Isolation::Namespaced);
    let program = compile(&rules);
    for number in 0..=LAST_KNOWN {
        let expected = match rules.get(&number) {
            Some(Rule::Allow) => ALLOWED,
            Some(Rule::Refuse(errno)) => libc::SECCOMP_RET_ERRNO | u32::from(*errno),
            Some(Rule::When(_)) => continue,
            None => EPERM,
        };
        assert_eq!(run(&program, ARCHITECTURE, number, [0; 6]), expected, "call {number}");
    }
}

#[test]
fn unknown_calls_are_not_implemented() {
    let program = compile(&calls::rules(Isolation::Namespaced));
    for number in [LAST_KNOWN + 1, 1000, 0x3fff_ffff] {
        assert_eq!(run(&program, ARCHITECTURE, number, [0; 6]), ENOSYS);
    }
}

#[test]
fn foreign_architectures_and_x32_are_refused() {
    let program = compile(&calls::rules(Isolation::Namespaced));
    let read = libc::SYS_read as u32;
    assert_eq!(run(&program, ARCHITECTURE, read, [0; 6]), ALLOWED);
    assert_eq!(run(&program, AUDIT_ARCH_I386, read, [0; 6]), EPERM);
    assert_eq!(run(&program, ARCHITECTURE, read | super::X32_BIT, [0; 6]), EPERM);
}

#[test]
fn values_are_compared_on_all_64_bits() {
    let rule = || Rule::When(Condition::OneOf(1, vec![1, 0x5_0000_0002, 3]));
    for allowed in [1, 0x5_0000_0002, 3] {
        assert_eq!(decide(rule(), [9, allowed, 9, 9, 9, 9]), ALLOWED, "{allowed:x}");
    }
    for refused in [0, 2, 4, 0x1_0000_0001, 0x5_0000_0003, u64::MAX, 0x8000_0000_0000_0003] {
        assert_eq!(decide(rule(), [1, refused, 1, 1, 1, 1]), EPERM, "{refused:x}");
    }
}

#[test]
fn bits_are_looked_for_in_both_halves() {
    let rule = || Rule::When(Condition::NoBits(0, 0x1_0000_0010));
    for (argument, expected) in [(0, ALLOWED), (0xf, ALLOWED), (0x10, EPERM), (0x1_0000_0000, EPERM), (u64::MAX, EPERM)]
    {
        assert_eq!(decide(rule(), [argument, 0, 0, 0, 0, 0]), expected, "{argument:x}");
    }
}

#[test]
fn both_conditions_must_hold() {
    let rule = || {
        Rule::When(Condition::Both(
            Box::new(Condition::OneOf(0, vec![1, 2])),
            Box::new(Condition::OneOf(1, vec![5, 6])),
        ))
    };
    for (first, second, expected) in [
        (1, 5, ALLOWED),
        (2, 6, ALLOWED),
        (1, 6, ALLOWED),
        (3, 5, EPERM),
        (1, 7, EPERM),
        (1 << 32, 5, EPERM),
        (0, 0, EPERM),
    ] {
        assert_eq!(decide(rule(), [first, second, 0, 0, 0, 0]), expected, "{first} {second}");
    }
}

#[test]
fn one_of_two_conditions_is_enough() {
    let large = || Condition::Both(Box::new(Condition::OneOf(0, vec![3])), Box::new(Condition::NoBits(1, !0xff)));
    let rule = || Rule::When(Condition::Either(Box::new(Condition::OneOf(0, vec![1, 2])), Box::new(large())));
    for (first, second, expected) in [
        (1, 7, ALLOWED),
        (2, u64::MAX, ALLOWED),
        (3, 0, ALLOWED),
        (3, 0xff, ALLOWED),
        (3, 0x100, EPERM),
        (3, 1 << 32, EPERM),
        (1 << 32 | 1, 7, EPERM),
        (4, 0, EPERM),
    ] {
        assert_eq!(decide(rule(), [first, second, 0, 0, 0, 0]), expected, "{first} {second}");
    }
}

#[test]
fn harmless_forms_of_refused_calls_are_allowed() {
    let program = compile(&calls::rules(Isolation::Namespaced));
    let call = |number: libc::c_long, arguments| run(&program, ARCHITECTURE, number as u32, arguments);
    let resize = |bytes| call(libc::SYS_fcntl, [3, libc::F_SETPIPE_SZ as u64, bytes, 0, 0, 0]);
    for bytes in [0, 4096, 8192, 65535, 65536] {
        assert_eq!(resize(bytes), ALLOWED, "{bytes}");
    }
    for bytes in [65537, 1 << 20, 1 << 32, u64::MAX] {
        assert_eq!(resize(bytes), EPERM, "{bytes}");
    }
    let schedule = |process, policy| call(libc::SYS_sched_setscheduler, [process, policy, 4096, 0, 0, 0]);
    assert_eq!(schedule(0, libc::SCHED_OTHER as u64), ALLOWED);
    for (process, policy) in [(1, libc::SCHED_OTHER), (0, libc::SCHED_FIFO), (0, libc::SCHED_IDLE), (0, 0x4000_0000)] {
        assert_eq!(schedule(process, policy as u64), EPERM, "{process} {policy}");
    }
    for number in [libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr, libc::SYS_removexattr] {
        assert_eq!(call(number, [0; 6]), libc::SECCOMP_RET_ERRNO | libc::ENOTSUP as u32);
    }
}

#[test]
fn flushing_is_said_to_be_done() {
    let program = compile(&calls::rules(Isolation::Namespaced));
    for number in [libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_msync] {
        assert_eq!(run(&program, ARCHITECTURE, number as u32, [3, 0, 0, 0, 0, 0]), libc::SECCOMP_RET_ERRNO);
    }
    for number in [libc::SYS_sync_file_range, libc::SYS_syncfs, libc::SYS_sync] {
        assert_eq!(run(&program, ARCHITECTURE, number as u32, [3, 0, 0, 0, 0, 0]), EPERM);
    }
}

#[test]
fn no_mount_tells_how_many_there_have_been() {
    let program = compile(&calls::rules(Isolation::Namespaced));
    let statx = |mask| run(&program, ARCHITECTURE, libc::SYS_statx as u32, [0, 0, 0, mask, 0, 0]);
    assert_eq!([0x7ff, 0xfff, 0x1fff].map(statx), [ALLOWED; 3]);
    assert_eq!([0x4000, 0x4fff].map(statx), [EPERM; 2], "STATX_MNT_ID_UNIQUE");
}

#[test]
fn threads_may_be_made_and_namespaces_may_not() {
    let program = compile(&calls::rules(Isolation::Namespaced));
    let clone = |flags: i32| {
        run(&program, ARCHITECTURE, libc::SYS_clone as u32, [u64::from(flags.cast_unsigned()), 0, 0, 0, 0, 0])
    };
    assert_eq!(clone(libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_FILES), ALLOWED);
    assert_eq!(clone(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD), ALLOWED);
    assert_eq!(clone(libc::CLONE_FILES | libc::SIGCHLD), EPERM, "descriptors of its parent");
    assert_eq!(clone(libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND), EPERM, "descriptors of its own");
    assert_eq!(clone(libc::SIGCHLD), ALLOWED);
    for namespace in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS, libc::CLONE_NEWPID] {
        assert_eq!(clone(namespace | libc::SIGCHLD), EPERM);
    }
}

#[test]
fn what_tells_or_holds_something_out_of_sight_is_refused() {
    let program = compile(&calls::rules(Isolation::Namespaced));
    let call = |number: libc::c_long, arguments| run(&program, ARCHITECTURE, number as u32, arguments);
    let close_range = |flags: u32| call(libc::SYS_close_range, [3, 9, u64::from(flags), 0, 0, 0]);
    assert_eq!((close_range(0), close_range(libc::CLOSE_RANGE_CLOEXEC)), (ALLOWED, ALLOWED));
    assert_eq!(close_range(libc::CLOSE_RANGE_UNSHARE), EPERM);
    assert_eq!(close_range(libc::CLOSE_RANGE_UNSHARE | libc::CLOSE_RANGE_CLOEXEC), EPERM);
    for number in [libc::SYS_preadv2, libc::SYS_pwritev2] {
        assert_eq!(call(number, [3, 0, 1, 0, 0, 0]), ALLOWED);
        assert_eq!(call(number, [3, 0, 1, 0, 0, 0x8]), EPERM, "RWF_NOWAIT");
        assert_eq!(call(number, [3, 0, 1, 0, 0, 0x80]), EPERM, "RWF_DONTCACHE");
    }
    let advise = |advice: i32| call(libc::SYS_madvise, [4096, 4096, u64::from(advice.cast_unsigned()), 0, 0, 0]);
    assert_eq!((advise(libc::MADV_DONTNEED), advise(libc::MADV_HUGEPAGE)), (ALLOWED, ALLOWED));
    for advice in [libc::MADV_COLD, libc::MADV_PAGEOUT, libc::MADV_MERGEABLE, libc::MADV_HWPOISON, -1] {
        assert_eq!(advise(advice), EPERM, "{advice}");
    }
    let allocate = |mode: u64| call(libc::SYS_fallocate, [3, mode, 0, 1 << 20, 0, 0]);
    assert_eq!((allocate(0), allocate(1), allocate(3)), (ALLOWED, EPERM, EPERM));
    // CLOCK_PROCESS_CPUTIME_ID, and the processor time of process 1: ~1 << 3 | 2.
    let clock = |clock: i64| call(libc::SYS_clock_gettime, [clock.cast_unsigned(), 0, 0, 0, 0, 0]);
    assert_eq!((clock(2), clock((!1 << 3) | 2)), (ALLOWED, EPERM));
    assert_eq!((call(libc::SYS_mincore, [0; 6]), call(libc::SYS_sendfile, [0; 6])), (ENOSYS, EPERM));
}

#[test]
fn memory_may_be_shared_or_anonymous_but_not_both() {
    let program = compile(&calls::rules(Isolation::Namespaced));
    let map = |flags: i32| {
        run(&program, ARCHITECTURE, libc::SYS_mmap as u32, [0, 4096, 3, u64::from(flags.cast_unsigned()), u64::MAX, 0])
    };
    assert_eq!(map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS), ALLOWED);
    assert_eq!(map(libc::MAP_SHARED), ALLOWED);
    assert_eq!(map(libc::MAP_SHARED | libc::MAP_ANONYMOUS), EPERM);
    assert_eq!(map(libc::MAP_SHARED_VALIDATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE), EPERM);
    assert_eq!(map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB), EPERM);
    assert_eq!(map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN), EPERM);
}

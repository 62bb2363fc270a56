//! What holds for every call: random numbers and arguments, and each way around a comparison.

use proptest::prelude::*;
use py_executor::sandbox::seccomp::Filter;

use crate::calls::Call;
use crate::{ALLOWED, ARCHITECTURE, DONE, ENOSYS, ENOTSUP, EPERM, answer, interpreter};

/// The bit of x86_64's x32 calls.
const X32_BIT: u32 = 0x4000_0000;

/// Other architectures of linux/audit.h that a kernel may run programs of: i386, arm, and each other's.
const FOREIGN: [u32; 5] = [0x4000_0003, 0x4000_0028, 0xc000_003e, 0xc000_00b7, 0];

/// Allowed calls, with the arguments that they are allowed for; a position, and whether all its 64 bits count.
fn allowed() -> Vec<(Call, Vec<usize>)> {
    let call = |number, arguments, positions: &[usize]| (Call::new(number, arguments), positions.to_vec());
    let stream = libc::SOCK_STREAM as u64;
    let anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    vec![
        call(libc::SYS_prlimit64, [0, 7, 0, 0, 0, 0], &[0]),
        call(libc::SYS_setpriority, [0, 0, 5, 0, 0, 0], &[0]),
        call(libc::SYS_socketpair, [1, stream, 0, 0, 0, 0], &[0, 1]),
        call(libc::SYS_sendto, [3, 0, 9, libc::MSG_NOSIGNAL as u64, 0, 0], &[3, 4]),
        call(libc::SYS_getsockopt, [3, libc::SOL_SOCKET as u64, libc::SO_ERROR as u64, 0, 0, 0], &[1, 2]),
        call(libc::SYS_ioctl, [0, libc::TCGETS, 0, 0, 0, 0], &[1]),
        call(libc::SYS_prctl, [libc::PR_SET_NAME as u64, 0, 0, 0, 0, 0], &[0]),
        call(libc::SYS_fcntl, [0, libc::F_SETLK as u64, 0, 0, 0, 0], &[1]),
        call(libc::SYS_fadvise64, [0, 0, 0, libc::POSIX_FADV_WILLNEED as u64, 0, 0], &[3]),
        call(libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0], &[]),
        call(libc::SYS_mmap, [0, 4096, 3, anonymous, u64::MAX, 0], &[]),
    ]
}

#[test]
fn all_bits_of_an_argument_are_compared() {
    let filter = Filter::default();
    for (call, positions) in allowed() {
        assert_eq!(answer(&filter, &call), ALLOWED, "{call:?}");
        for (position, bit) in positions.iter().flat_map(|position| (32..64).map(move |bit| (*position, bit))) {
            let mut changed = call.clone();
            changed.arguments[position] |= 1 << bit;
            assert_eq!(answer(&filter, &changed), EPERM, "{changed:?}");
        }
    }
}

#[test]
fn arguments_that_reach_too_far_are_refused() {
    let filter = Filter::default();
    for (number, arguments) in [
        // Out-of-band data; an address to send to.
        (libc::SYS_sendto, [3, 0, 1, libc::MSG_OOB as u64, 0, 0]),
        (libc::SYS_sendto, [3, 0, 1, libc::MSG_ZEROCOPY as u64, 0, 0]),
        (libc::SYS_sendto, [3, 0, 1, 0, 0x7fff_0000, 16]),
        // SO_PEERPIDFD, and SO_PEERGROUPS; an option of another level with an allowed number.
        (libc::SYS_getsockopt, [3, 1, 77, 0, 0, 0]),
        (libc::SYS_getsockopt, [3, 1, 59, 0, 0, 0]),
        (libc::SYS_getsockopt, [3, 6, libc::SO_TYPE as u64, 0, 0, 0]),
        (libc::SYS_fadvise64, [3, 0, 0, libc::POSIX_FADV_DONTNEED as u64, 0, 0]),
        // Datagrams, and other families than local ones.
        (libc::SYS_socketpair, [1, libc::SOCK_DGRAM as u64, 0, 0, 0, 0]),
        (libc::SYS_socketpair, [1, libc::SOCK_SEQPACKET as u64, 0, 0, 0, 0]),
        (libc::SYS_socketpair, [libc::AF_TIPC as u64, libc::SOCK_STREAM as u64, 0, 0, 0, 0]),
        // Signals by descriptor, notices, leases, larger pipes.
        (libc::SYS_fcntl, [3, libc::F_SETOWN as u64, 1, 0, 0, 0]),
        (libc::SYS_fcntl, [3, 10, 9, 0, 0, 0]),
        (libc::SYS_fcntl, [3, 15, 0, 0, 0, 0]),
        (libc::SYS_fcntl, [3, libc::F_NOTIFY as u64, 1, 0, 0, 0]),
        (libc::SYS_fcntl, [3, libc::F_SETLEASE as u64, 1, 0, 0, 0]),
        (libc::SYS_fcntl, [3, libc::F_SETPIPE_SZ as u64, 1 << 20, 0, 0, 0]),
        // Input for a terminal, clones of files, the namespaces of a descriptor.
        (libc::SYS_ioctl, [0, libc::TIOCSTI, 0, 0, 0, 0]),
        (libc::SYS_ioctl, [0, 0x541c, 0, 0, 0, 0]),
        (libc::SYS_ioctl, [0, libc::FICLONE, 0, 0, 0, 0]),
        (libc::SYS_ioctl, [0, 0xff05, 0, 0, 0, 0]),
        (libc::SYS_prctl, [libc::PR_SET_MM as u64, 0, 0, 0, 0, 0]),
        (libc::SYS_prctl, [libc::PR_SET_PTRACER as u64, u64::MAX, 0, 0, 0, 0]),
        (libc::SYS_prctl, [libc::PR_SET_DUMPABLE as u64, 1, 0, 0, 0, 0]),
        (libc::SYS_prctl, [libc::PR_SET_SECCOMP as u64, 2, 0, 0, 0, 0]),
        (libc::SYS_prctl, [59, 1, 0, 0, 0, 0]),
        (libc::SYS_prctl, [67, 1, 0, 0, 0, 0]),
        (libc::SYS_setpriority, [u64::from(libc::PRIO_USER), 0, 0, 0, 0, 0]),
        (libc::SYS_prlimit64, [1, 7, 0, 0, 0, 0]),
        // The buffer of a FIFO is in no process's account.
        (libc::SYS_mknodat, [u64::MAX, 0, u64::from(libc::S_IFIFO), 0, 0, 0]),
    ] {
        let call = Call::new(number, arguments);
        assert_eq!(answer(&filter, &call), EPERM, "{call:?} {arguments:x?}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_threads_registers_and_no_other_settings_of_the_processor() {
    let filter = Filter::default();
    let set = |code| answer(&filter, &Call::new(libc::SYS_arch_prctl, [code, 0, 0, 0, 0, 0]));
    assert_eq!(set(0x1002), ALLOWED);
    // ARCH_SET_CPUID, ARCH_REQ_XCOMP_GUEST_PERM, ARCH_MAP_VDSO_32, ARCH_ENABLE_TAGGED_ADDR, ARCH_SHSTK_ENABLE.
    for code in [0x1012, 0x1025, 0x2002, 0x4002, 0x5001] {
        assert_eq!(set(code), EPERM, "{code:x}");
    }
}

#[test]
fn no_number_is_allowed_with_the_bit_of_x32_or_on_a_foreign_architecture() {
    let filter = Filter::default();
    for number in 0..2000 {
        let run = |arch, number| interpreter::run(filter.instructions(), arch, number, [0; 6]);
        assert_eq!(run(ARCHITECTURE, number | X32_BIT), EPERM, "{number}");
        for arch in FOREIGN.into_iter().filter(|arch| *arch != ARCHITECTURE) {
            assert_eq!(run(arch, number), EPERM, "{arch:x} {number}");
        }
    }
}

#[test]
fn calls_of_newer_kernels_are_unknown() {
    let filter = Filter::default();
    for number in (463..10_000).chain([X32_BIT - 1]) {
        assert_eq!(answer(&filter, &Call { number, arguments: [0; 6] }), ENOSYS, "{number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4096, ..ProptestConfig::default() })]

    /// Nothing is ever killed, stopped or logged; what is said to be done at once has the number 0.
    #[test]
    fn a_call_is_allowed_or_fails(
        arch in prop_oneof![4 => Just(ARCHITECTURE), 1 => any::<u32>()],
        number in prop_oneof![4 => 0_u32..600, 1 => any::<u32>()],
        arguments in prop::array::uniform6(prop_oneof![0_u64..64, any::<u64>()]),
    ) {
        let said = interpreter::run(Filter::default().instructions(), arch, number, arguments);
        prop_assert!([ALLOWED, DONE, EPERM, ENOSYS, ENOTSUP].contains(&said), "{said:x}");
        if arch != ARCHITECTURE || number >= X32_BIT {
            prop_assert_eq!(said, EPERM);
        }
    }
}

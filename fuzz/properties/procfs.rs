//! Files of /proc, in which a script chooses the names of processes and files.

use py_executor::sandbox::watchdog::procfs::{
    self, Stat, Status, children, holder_of_lock, max_resident, proportional_share, shared_mappings, unlinked_mapping,
};

use super::memory;

/// The first byte says which part of the rest is a name that a script chose: it must not change what is read.
pub fn check(bytes: &[u8]) {
    let [split, rest @ ..] = bytes else { return };
    memory::within(16 * rest.len() + 4096, || {
        let _ = (Status::parse(rest), Stat::parse(rest), max_resident(rest), proportional_share(rest));
        let _ = (shared_mappings(rest, 4096), children(rest), procfs::process_name(rest));
        for line in procfs::lines(rest) {
            let _ = (unlinked_mapping(line), holder_of_lock(line));
        }
    });
    // No longer than the kernel lets it be (TASK_COMM_LEN).
    let name = &rest[..usize::from(*split).min(15).min(rest.len())];
    let status = |name: &[u8]| {
        let facts = b"State:\tS (sleeping)\nPPid:\t2\nVmSize:\t40 kB\nVmRSS:\t20 kB\nVmPTE:\t8 kB\nVmSwap:\t0 kB\nThreads:\t3\n";
        Status::parse(&[b"Name:\t", name, b"\n", &facts[..]].concat())
    };
    assert_eq!(status(name), status(b"plain"));
    let stat = |name: &[u8]| Stat::parse(&[b"7 (", name, b") S 2 5 5 0 -1 4194560 1 0 0 0 1 2 30 12 20 0 1"].concat());
    assert_eq!(stat(name), stat(b"plain"));
}

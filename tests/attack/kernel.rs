//! P3 too, as every other promise rests on it: no namespaces, no dangerous calls, no back doors, no privileges.

use serde_json::json;

use super::bench::Bench;
use super::program;
use super::scenario::{Drive, Promise, Scenario, Step, attack, step};

const P: Promise = Promise::Processes;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = vec![
        attack(
            P,
            "kernel-unshare",
            "makes and enters namespaces of every kind by unshare, clone, clone3 and setns",
            Drive::Scripts(|_| vec![step(program!("kernel_unshare"))]),
        ),
        attack(
            P,
            "kernel-calls",
            "makes the calls that let others out: bpf, io_uring, keyctl, perf, userfaultfd, mounts, modules",
            Drive::Scripts(|bench| vec![filtered(bench, program!("kernel_calls"))]),
        )
        .destructive(),
        attack(
            P,
            "kernel-identity",
            "becomes root, gets capabilities back, looks for set-id programs",
            Drive::Scripts(|_| vec![step(program!("kernel_identity"))]),
        )
        .destructive(),
        attack(
            P,
            "kernel-truncation",
            "hides refused arguments in the upper half of registers",
            Drive::Scripts(|bench| vec![filtered(bench, program!("kernel_truncation"))]),
        ),
        attack(
            P,
            "kernel-prctl",
            "prctl, personality and seccomp: dumpable, tracers, subreaper, memory map, listeners",
            Drive::Scripts(|bench| vec![filtered(bench, program!("kernel_prctl"))]),
        ),
        attack(
            P,
            "kernel-watch",
            "reads what /proc and /sys tell of the machine; inotify and fanotify on system directories",
            Drive::Scripts(|_| vec![step(program!("kernel_watch"))]),
        ),
        attack(
            P,
            "kernel-witness",
            "asks what of the runtime others have read, and what other processes have used",
            // Clocks of others can be asked where there is no filter.
            Drive::Scripts(|bench| {
                vec![step(program!("witness")).inputs(json!({ "with_clocks": bench.host.filtered() }))]
            }),
        ),
    ];
    all.push(attack(
        P,
        "kernel-abi",
        "makes calls by the doors of x32 and i386",
        Drive::Scripts(|_| vec![step(program!("kernel_abi"))]),
    ));
    all
}

/// A program that must know whether calls are filtered: without, what only concerns the process itself is allowed.
fn filtered(bench: &Bench, program: &str) -> Step {
    step(program).inputs(json!({ "filtered": bench.host.filtered() }))
}

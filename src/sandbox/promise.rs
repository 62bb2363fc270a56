//! What an operator is promised, which mechanisms keep it, and the choice of mechanisms on a host.

use serde::Serialize;

use super::mechanism::{Mechanism, Mechanisms};

/// Something that holds for every script, whatever it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    NoNetwork,
    NoFiles,
    NoOtherProcesses,
    NoSecrets,
    Bounded,
    NothingLeftBehind,
}

impl Promise {
    pub const ALL: [Self; 6] = [
        Self::NoNetwork,
        Self::NoFiles,
        Self::NoOtherProcesses,
        Self::NoSecrets,
        Self::Bounded,
        Self::NothingLeftBehind,
    ];

    /// In the words of whoever relies on it.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoNetwork => "no network of any kind",
            Self::NoFiles => "no files but the read-only runtime and an empty scratch directory",
            Self::NoOtherProcesses => "no sight of other processes and no way to alter them",
            Self::NoSecrets => "no secrets of the service",
            Self::Bounded => "bounded time, memory, processes, files and output",
            Self::NothingLeftBehind => "nothing left behind",
        }
    }

    /// Whether these mechanisms keep it.
    ///
    /// What is listed suffices; other mechanisms may stand behind it as a second line. A network namespace alone does
    /// not keep the first: families such as AF_VSOCK and AF_ALG do not belong to it.
    pub fn is_kept(self, mechanisms: &Mechanisms) -> bool {
        use Mechanism::{
            Capabilities, Cgroup, Descriptors, Dumpable, Environment, Landlock, Namespaces, Rlimits, Root, Scratch,
            Seal, Seccomp, Sweep, Watchdog,
        };
        let has = |wanted: &[Mechanism]| wanted.iter().all(|mechanism| mechanisms.contains(mechanism));
        match self {
            Self::NoNetwork => has(&[Seccomp]) || has(&[Seal]),
            Self::NoFiles => has(&[Root, Capabilities]) || has(&[Landlock]) || has(&[Seal]),
            Self::NoOtherProcesses => {
                has(&[Namespaces]) || has(&[Dumpable, Landlock, Seccomp]) || has(&[Dumpable, Seal])
            }
            Self::NoSecrets => has(&[Environment, Descriptors, Dumpable]),
            // The watchdog sees neither files in memory nor what other calls hide, which only these refuse, or count.
            Self::Bounded => [Seccomp, Seal, Cgroup].iter().any(|other| has(&[Rlimits, Watchdog, *other])),
            // What is written elsewhere than to the scratch space, nobody removes; and whoever may leave its process
            // group gets away from the sweep.
            Self::NothingLeftBehind => {
                has(&[Namespaces, Scratch, Root])
                    || has(&[Namespaces, Scratch, Landlock])
                    || has(&[Sweep, Landlock, Seccomp])
                    || has(&[Sweep, Seal])
            }
        }
    }

    /// How a mechanism serves this promise; `None` if it does not.
    #[rustfmt::skip]
    pub fn explain(self, mechanism: Mechanism) -> Option<&'static str> {
        use Mechanism as M;
        Some(match (self, mechanism) {
            (Self::NoNetwork, M::Namespaces) => "a network namespace without a network",
            (Self::NoNetwork, M::Landlock) => "no TCP, no abstract socket of others, where the kernel knows these",
            (Self::NoNetwork, M::Seccomp) => "no socket but a connected pair can be made",
            (Self::NoNetwork, M::Seal) => "no descriptor can be made, so no socket",
            (Self::NoFiles, M::Root) => "the read-only runtime is the root directory",
            (Self::NoFiles, M::Scratch) => "a tmpfs of the worker's own is all that can be written to",
            (Self::NoFiles, M::Landlock) => "only the runtime can be read, only the scratch directory written",
            (Self::NoFiles, M::Capabilities) => "nothing can be mounted",
            (Self::NoFiles, M::Seal) => "no file can be opened",
            (Self::NoOtherProcesses, M::Namespaces) => "PID, user and IPC namespaces of the worker's own",
            (Self::NoOtherProcesses, M::Landlock) => "no /proc of others, no signal to others",
            (Self::NoOtherProcesses, M::Seccomp) => "no ptrace, no other way into memory, no signal to others",
            (Self::NoOtherProcesses, M::Dumpable) => "no process can be traced or read",
            (Self::NoOtherProcesses, M::Seal) => "nothing of /proc can be opened; a signal can only end this environment",
            (Self::NoSecrets, M::Environment) => "a fixed environment",
            (Self::NoSecrets, M::Descriptors) => "no inherited descriptor",
            (Self::NoSecrets, M::Dumpable) => "the service's memory and environment cannot be read",
            (Self::Bounded, M::Rlimits) => "processor time, private memory, open files, file size",
            (Self::Bounded, M::Watchdog) => "memory, processes and scratch space of the whole tree",
            (Self::Bounded, M::Cgroup) => "the kernel counts memory and processes of the whole tree, its own included",
            (Self::Bounded, M::Nproc) => "the number of processes is counted for the worker alone",
            (Self::Bounded, M::Scratch) => "the tmpfs has a size",
            (Self::Bounded, M::Seccomp) => "no memory that the watchdog does not see",
            (Self::Bounded, M::Seal) => "no process, thread or file can be made",
            (Self::NothingLeftBehind, M::Namespaces) => "all processes of the PID namespace are killed at once, and an IPC namespace is new",
            (Self::NothingLeftBehind, M::Scratch) => "a tmpfs in which a worker has left a trace is replaced",
            (Self::NothingLeftBehind, M::Root | M::Landlock) => "nothing but the scratch space can be written to",
            (Self::NothingLeftBehind, M::Seccomp) => "no process leaves its group, and no IPC object can be made",
            (Self::NothingLeftBehind, M::Seal) => "no process and no file can be made",
            (Self::NothingLeftBehind, M::Sweep) => "processes, scratch and IPC objects are swept before the reply",
            _ => return None,
        })
    }
}

/// What to use on a host: what it offers, completed by what is needed in place of what is missing.
///
/// The sweep does without namespaces what they would do. The seal is the last resort, because it takes files, threads
/// and processes from a script: it is used only if it keeps a promise that nothing else keeps.
pub fn select_mechanisms(offered: &Mechanisms, without: &Mechanisms) -> Mechanisms {
    let mut chosen: Mechanisms = offered.difference(without).copied().collect();
    chosen.remove(&Mechanism::Seal);
    let add = |chosen: &mut Mechanisms, mechanism| {
        if offered.contains(&mechanism) && !without.contains(&mechanism) {
            chosen.insert(mechanism);
        }
    };
    if Promise::NothingLeftBehind.is_kept(&without_sweep(&chosen)) {
        chosen.remove(&Mechanism::Sweep);
    }
    let broken = |chosen: &Mechanisms| Promise::ALL.iter().filter(|promise| !promise.is_kept(chosen)).count();
    let mut sealed = chosen.clone();
    add(&mut sealed, Mechanism::Seal);
    if broken(&sealed) < broken(&chosen) { sealed } else { chosen }
}

fn without_sweep(mechanisms: &Mechanisms) -> Mechanisms {
    mechanisms.iter().copied().filter(|mechanism| *mechanism != Mechanism::Sweep).collect()
}

/// Takes a mechanism away, and all that needs it.
pub fn remove_with_dependents(mechanisms: &mut Mechanisms, mechanism: Mechanism) {
    mechanisms.remove(&mechanism);
    for dependent in mechanism.needed_by() {
        remove_with_dependents(mechanisms, *dependent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_but(missing: &[Mechanism]) -> Mechanisms {
        let mut mechanisms = Mechanisms::from(Mechanism::ALL);
        for mechanism in missing {
            remove_with_dependents(&mut mechanisms, *mechanism);
        }
        mechanisms
    }

    fn kept(mechanisms: &Mechanisms) -> bool {
        Promise::ALL.iter().all(|promise| promise.is_kept(mechanisms))
    }

    #[test]
    fn every_host_of_the_design_keeps_every_promise() {
        use Mechanism::{Capabilities, Landlock, Namespaces, Seal, Seccomp, Sweep};
        let none = Mechanisms::new();
        let linux = select_mechanisms(&all_but(&[]), &none);
        assert!(kept(&linux) && !linux.contains(&Seal) && !linux.contains(&Sweep));
        let gvisor = select_mechanisms(&all_but(&[Landlock]), &none);
        assert!(kept(&gvisor) && !gvisor.contains(&Seal));
        let container = select_mechanisms(&all_but(&[Namespaces]), &none);
        assert!(kept(&container) && !container.contains(&Seal) && container.contains(&Sweep));
        let lambda = select_mechanisms(&all_but(&[Namespaces, Landlock, Seccomp, Capabilities]), &none);
        assert!(kept(&lambda) && lambda.contains(&Seal) && lambda.contains(&Sweep));
    }

    #[test]
    fn what_nothing_replaces_breaks_a_promise() {
        use Mechanism::{Descriptors, Dumpable, Environment, Rlimits, Watchdog};
        for mechanism in [Environment, Descriptors, Dumpable, Rlimits, Watchdog] {
            assert!(!kept(&select_mechanisms(&all_but(&[mechanism]), &Mechanisms::new())), "{mechanism}");
        }
    }

    #[test]
    fn the_seal_is_the_last_resort() {
        let without =
            |mechanisms: &[Mechanism]| select_mechanisms(&all_but(&[]), &mechanisms.iter().copied().collect());
        assert!(without(&[Mechanism::Seccomp]).contains(&Mechanism::Seal));
        assert!(!without(&[Mechanism::Seccomp, Mechanism::Seal]).contains(&Mechanism::Seal));
        // It would not help here.
        assert!(!without(&[Mechanism::Rlimits]).contains(&Mechanism::Seal));
    }

    #[test]
    fn every_mechanism_serves_a_promise() {
        for mechanism in Mechanism::ALL {
            assert!(Promise::ALL.iter().any(|promise| promise.explain(mechanism).is_some()), "{mechanism}");
        }
    }
}

//! What a worker is locked into. `promise` says what an operator can rely on, [`policy`] what is wanted, as plain data;
//! each other file applies one mechanism. [`probe`] breaks into each of them, [`report`] says what came of it.
//!
//! The order in which they are applied stands in [`crate::process`]: namespaces and root once per zygote; scratch, a
//! PID namespace and a monitor per worker; then, in the worker itself, [`lock_in`]; the seal when the job is known; and
//! after the job, in the monitor, the sweep.

mod capabilities;
pub mod cgroup;
mod dumpable;
pub mod integrity;
mod landlock;
mod mechanism;
mod namespaces;
pub mod policy;
pub mod privileges;
pub mod probe;
mod promise;
pub mod report;
mod rlimits;
mod root;
mod scratch;
mod seal;
pub mod seccomp;
pub mod sweep;
pub mod usage;
pub mod watchdog;

use std::path::PathBuf;

pub use capabilities::keep_for_monitor;
pub use dumpable::hide_from_tracers;
pub use landlock::Rules;
pub use mechanism::{Mechanism, Mechanisms, SandboxError, join, split};
pub use namespaces::{LastPid, MONITOR_NAMESPACES, enter_zygote_namespaces, renew_ipc_namespace};
pub use policy::Policy;
pub use promise::{Promise, remove_with_dependents, select_mechanisms};
pub use rlimits::{OomScore, limit_cpu, limit_stack, set_oom_score};
pub use root::{Proc, mount_workers_proc, switch_root};
pub use scratch::{Owner, Scratch, empty_tmp, find_parent, remove_abandoned};
pub use seal::close as seal;
pub use seccomp::{Filter, Isolation};

/// Where a worker finds its files.
#[derive(Debug, Clone)]
pub struct WorkerPaths {
    /// The runtime: the root directory, or where it lies on the host.
    pub runtime: PathBuf,
    pub scratch: PathBuf,
}

/// What is to be tried on a mechanism that has just been applied.
pub type Examination<'a> = &'a dyn Fn(Mechanism) -> Option<SandboxError>;

/// Locks a worker in: from here on it can neither see nor do more than its policy says. No line of Python runs before.
/// Gives all that failed: then the worker must not be used.
///
/// The order matters: the user namespace gives the rights that the limits' own accounting needs; capabilities go
/// before no_new_privs seals them off, and before the limit on processes, which gVisor does not hold against them; the seccomp
/// filter comes last, because it refuses what the steps before it do.
pub fn lock_in(policy: &Policy, rules: Option<&Rules>, filter: &Filter, examine: Examination<'_>) -> Vec<SandboxError> {
    let mut failed = Vec::new();
    let mut step = |mechanism: Mechanism, apply: &mut dyn FnMut() -> Result<(), SandboxError>| {
        if policy.has(mechanism) {
            failed.extend(apply().err().or_else(|| examine(mechanism)));
        }
    };
    step(Mechanism::Namespaces, &mut || namespaces::enter_user_namespace(policy::WORKER_ID));
    // These two were applied before the fork.
    step(Mechanism::Root, &mut || Ok(()));
    step(Mechanism::Scratch, &mut || Ok(()));
    step(Mechanism::Rlimits, &mut || rlimits::lower_priority().and_then(|()| rlimits::apply(policy)));
    step(Mechanism::Capabilities, &mut capabilities::drop_all);
    step(Mechanism::Nproc, &mut || rlimits::limit_processes(policy));
    step(Mechanism::Dumpable, &mut || dumpable::set_worker_dumpable(policy));
    let no_rules = || SandboxError::at(Mechanism::Landlock, "landlock_restrict_self")("there are no rules");
    step(Mechanism::Landlock, &mut || rules.ok_or_else(no_rules)?.enforce());
    let alone = policy.has(Mechanism::Namespaces);
    let keeps_signals = rules.is_some_and(|rules| rules.keep_signals);
    step(Mechanism::Seccomp, &mut || {
        if alone || keeps_signals { filter.install() } else { filter.install_for_this_process() }
    });
    failed
}

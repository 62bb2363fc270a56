//! What a worker is locked into. [`policy`] says what is wanted, as plain data; each other file applies one mechanism.
//!
//! The order in which they are applied stands in [`crate::zygote`]: namespaces and root once per zygote; scratch, a
//! PID namespace and a guard per worker; then, in the worker itself, [`lock_in`].

mod capabilities;
mod dumpable;
mod error;
mod filesystem;
mod landlock;
pub mod memory;
mod namespaces;
pub mod policy;
pub mod privileges;
mod rlimits;
pub mod seccomp;

pub use capabilities::keep_for_guard;
pub use dumpable::hide_from_tracers;
pub use error::{Mechanism, SandboxError};
pub use filesystem::{mount_scratch, open_proc, switch_root};
pub use namespaces::{WORKER_NAMESPACES, enter_user_namespace, enter_zygote_namespaces};
pub use policy::Policy;
pub use rlimits::{limit_cpu, limit_stack};

/// Locks a worker in: from here on it can neither see nor do more than its policy says. No line of Python runs before.
///
/// The order matters: the user namespace gives the rights that the limits' own accounting needs; capabilities go
/// before no_new_privs seals them off; the seccomp filter comes last, because it refuses what the steps before it do.
pub fn lock_in(policy: &Policy, filter: &seccomp::Filter) -> Result<(), SandboxError> {
    namespaces::enter_user_namespace(policy::WORKER_ID)?;
    rlimits::stand_back()?;
    rlimits::apply(policy)?;
    capabilities::drop_all()?;
    dumpable::hide_from_tracers()?;
    landlock::restrict_files()?;
    filter.install()
}

//! The system call filter (seccomp(2)): `calls` is the policy, as data; `program` turns it into BPF.
//!
//! A call that is not allowed fails with EPERM, one that the table does not know with ENOSYS, so that a newer C library
//! falls back to what it did before. Nothing is ever killed: the loudest complaint about comparable sandboxes is a
//! library that dies at random.

mod calls;
mod isolation;
mod program;

pub use isolation::Isolation;

use super::{Mechanism, SandboxError, capabilities};
use crate::sys::Instruction;

/// A filter that is ready to be installed. Where it is the same for all workers, it is made once, in the zygote.
pub struct Filter {
    surroundings: Isolation,
    program: Vec<Instruction>,
}

impl Filter {
    /// Compiles the policy.
    pub fn new(surroundings: Isolation) -> Self {
        Self { surroundings, program: program::compile(&calls::rules(surroundings)) }
    }

    /// What the kernel is given.
    pub fn instructions(&self) -> &[Instruction] {
        &self.program
    }

    /// Installs a filter that lets this process signal itself and its process group only.
    pub(super) fn install_for_this_process(&self) -> Result<(), SandboxError> {
        match self.surroundings {
            Isolation::Namespaced => self.install(),
            Isolation::Shared { owns_files, .. } => {
                let only_signals = Some(std::process::id());
                Self::new(Isolation::Shared { only_signals, owns_files }).install()
            }
        }
    }

    /// Filters this process and all its descendants from now on.
    pub(super) fn install(&self) -> Result<(), SandboxError> {
        capabilities::forbid_new_privileges()
            .map_err(SandboxError::at(Mechanism::Seccomp, "prctl PR_SET_NO_NEW_PRIVS"))?;
        crate::sys::install_filter(&self.program)
            .map_err(SandboxError::at(Mechanism::Seccomp, "seccomp SET_MODE_FILTER"))
    }
}

impl Default for Filter {
    /// For a worker in namespaces of its own.
    fn default() -> Self {
        Self::new(Isolation::Namespaced)
    }
}

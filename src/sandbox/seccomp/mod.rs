//! The system call filter (seccomp(2)): `calls` is the policy, as data; `program` turns it into BPF.
//!
//! A call that is not allowed fails with EPERM, one that the table does not know with ENOSYS, so that a newer C library
//! falls back to what it did before. Nothing is ever killed: the loudest complaint about comparable sandboxes is a
//! library that dies at random.

mod calls;
mod program;

use super::{Mechanism, SandboxError};
use crate::sys::Instruction;

/// A filter that is ready to be installed. It is the same for all workers, so it is made once, in the zygote.
pub struct Filter(Vec<Instruction>);

impl Filter {
    /// Compiles the policy.
    pub fn new() -> Self {
        Self(program::compile(&calls::rules()))
    }

    /// Filters this process and all its descendants from now on. no_new_privs must be set.
    pub(super) fn install(&self) -> Result<(), SandboxError> {
        crate::sys::install_filter(&self.0).map_err(SandboxError::at(Mechanism::Seccomp, "seccomp SET_MODE_FILTER"))
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::new()
    }
}

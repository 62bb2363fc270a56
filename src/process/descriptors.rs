//! What a worker holds open: three standard streams, its channel and what the caller names, nothing else.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::sandbox::{Mechanism, SandboxError};

/// The standard streams of a worker.
pub struct Standard {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

impl Standard {
    /// Puts the streams in place.
    pub fn put_in_place(self) -> Result<(), SandboxError> {
        dup2_stdin(&self.stdin).map_err(failed("dup2 stdin"))?;
        dup2_stdout(&self.stdout).map_err(failed("dup2 stdout"))?;
        dup2_stderr(&self.stderr).map_err(failed("dup2 stderr"))
    }
}

/// Closes everything but the standard streams and `keep`.
///
/// # Safety
/// As for [`crate::sys::close_all_but`]: only in a child that has just been forked.
pub unsafe fn close_others(keep: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
    // SAFETY: the caller forgets what it does not keep.
    unsafe { crate::sys::close_all_but(keep) }.map_err(failed("close_range"))
}

fn failed<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> SandboxError {
    SandboxError::at(Mechanism::Descriptors, step)
}

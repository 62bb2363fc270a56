//! What a worker holds open: three standard streams and its channel, nothing else.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::sandbox::{Mechanism, SandboxError};

/// The standard streams of a worker.
pub struct Standard {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Puts the streams in place and closes everything but them and `keep`.
///
/// # Safety
/// As for [`crate::sys::close_all_but`]: only in a child that has just been forked.
pub unsafe fn arrange(streams: Standard, keep: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
    let failed = |step| SandboxError::at(Mechanism::Descriptors, step);
    dup2_stdin(&streams.stdin).map_err(failed("dup2 stdin"))?;
    dup2_stdout(&streams.stdout).map_err(failed("dup2 stdout"))?;
    dup2_stderr(&streams.stderr).map_err(failed("dup2 stderr"))?;
    drop(streams);
    // SAFETY: the caller forgets what it does not keep.
    unsafe { crate::sys::close_all_but(keep) }.map_err(SandboxError::at(Mechanism::Descriptors, "close_range"))
}

//! Whether other processes of the same user may look into this one (PR_SET_DUMPABLE(2const)).

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::{Mechanism, SandboxError};

/// No ptrace, no core file; /proc/PID/mem, environ and fd belong to root. Lasts until the process executes a file.
pub fn hide_from_tracers() -> Result<(), SandboxError> {
    set(DumpableBehavior::NotDumpable)
}

/// The opposite, for as long as a process needs the files that /proc has of it.
pub fn show_to_tracers() -> Result<(), SandboxError> {
    set(DumpableBehavior::Dumpable)
}

fn set(behavior: DumpableBehavior) -> Result<(), SandboxError> {
    set_dumpable_behavior(behavior).map_err(SandboxError::at(Mechanism::Dumpable, "prctl PR_SET_DUMPABLE"))
}

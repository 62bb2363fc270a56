//! Capabilities (capabilities(7)): a worker has none and can get none; a monitor keeps what watching memory takes.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

use super::{Mechanism, SandboxError};

/// Empties the sets that give rights. The bounding set, which an executed file may draw on, needs a right of its own to
/// be emptied; where that is refused, no_new_privs does the same, and is part of [`forbid_new_privileges`].
pub fn drop_all() -> Result<(), SandboxError> {
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // The kernel is older than the capability, or there is none to be dropped.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(Errno::PERM) => break,
            Err(errno) => return Err(failed("prctl PR_CAPBSET_DROP")(errno)),
        }
    }
    match clear_ambient_capability_set() {
        // It is empty anyway when the permitted set is; gVisor has none.
        Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
        Err(errno) => return Err(failed("prctl PR_CAP_AMBIENT_CLEAR_ALL")(errno)),
    }
    let dropped = keep(CapabilitySet::empty());
    if has_any().map_err(failed("capget"))? {
        dropped?;
    }
    match forbid_new_privileges() {
        // Where prctl(2) is refused, so is a filter, and the seal keeps programs from finding their libraries.
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(failed("prctl PR_SET_NO_NEW_PRIVS")(errno)),
    }
}

/// No executed file gives a right that the process does not have (PR_SET_NO_NEW_PRIVS(2const)). Cannot be undone.
pub fn forbid_new_privileges() -> rustix::io::Result<()> {
    set_no_new_privs(true)
}

/// Whether this process has any capability.
pub fn has_any() -> rustix::io::Result<bool> {
    let CapabilitySets { effective, permitted, inheritable } = capabilities(None)?;
    Ok(!(effective | permitted | inheritable).is_empty())
}

/// Leaves a monitor what it takes to read its workers' memory figures, to make the next worker's scratch space, and to let
/// that one give its own user namespace a user who is root in the monitor's (user_namespaces(7), since Linux 5.12).
pub fn keep_for_monitor() -> Result<(), SandboxError> {
    keep(CapabilitySet::SYS_PTRACE | CapabilitySet::SYS_ADMIN | CapabilitySet::SETFCAP)
}

fn keep(capabilities: CapabilitySet) -> Result<(), SandboxError> {
    let sets = CapabilitySets { effective: capabilities, permitted: capabilities, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(failed("capset"))
}

fn failed(step: &'static str) -> impl FnOnce(Errno) -> SandboxError {
    SandboxError::at(Mechanism::Capabilities, step)
}

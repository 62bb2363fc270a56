//! Capabilities (capabilities(7)): a worker has none and can get none; a guard keeps what watching memory takes.

use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

use super::{Mechanism, SandboxError};

/// Empties all five sets and sets no_new_privs, so that no executed file gives any back.
pub fn drop_all() -> Result<(), SandboxError> {
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // The kernel is older than the capability.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(errno) => return Err(failed("prctl PR_CAPBSET_DROP")(errno)),
        }
    }
    clear_ambient_capability_set().map_err(failed("prctl PR_CAP_AMBIENT_CLEAR_ALL"))?;
    keep(CapabilitySet::empty())?;
    set_no_new_privs(true).map_err(failed("prctl PR_SET_NO_NEW_PRIVS"))
}

/// Leaves a guard the one capability that reading its workers' memory figures takes.
pub fn keep_for_guard() -> Result<(), SandboxError> {
    keep(CapabilitySet::SYS_PTRACE)
}

fn keep(capabilities: CapabilitySet) -> Result<(), SandboxError> {
    let sets = CapabilitySets { effective: capabilities, permitted: capabilities, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(failed("capset"))
}

fn failed(step: &'static str) -> impl FnOnce(rustix::io::Errno) -> SandboxError {
    SandboxError::at(Mechanism::Capabilities, step)
}

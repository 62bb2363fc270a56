//! Who the command is: limits, user, capabilities, filter. The order matters, and each step says why.

use rustix::process::{Gid, Rlimit, Signal, Uid, set_parent_process_death_signal, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::failure::{Attempt, Failure};
use crate::filter;
use crate::kind::{Filter, Policy};

pub fn assume(policy: &Policy) -> Result<(), Failure> {
    set_limits(policy)?;
    // The bounding set takes CAP_SETPCAP, and a filter without no_new_privs CAP_SYS_ADMIN.
    if policy.is_powerless {
        empty_bounding_set()?;
    }
    install(policy, false)?;
    become_user(policy)?;
    if policy.is_powerless {
        empty_capabilities()?;
    }
    // Last, because it refuses the calls of the steps before.
    install(policy, true)
}

fn set_limits(policy: &Policy) -> Result<(), Failure> {
    for &(resource, value) in policy.limits {
        let limit = Rlimit { current: Some(value), maximum: Some(value) };
        setrlimit(resource, limit).attempt(format_args!("limit {resource:?}"))?;
    }
    Ok(())
}

fn empty_bounding_set() -> Result<(), Failure> {
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // The kernel is older than the capability.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error).attempt("prctl PR_CAPBSET_DROP"),
        }
    }
    Ok(())
}

fn become_user(policy: &Policy) -> Result<(), Failure> {
    let (uid, gid) = (Uid::from_raw(policy.uid), Gid::from_raw(policy.gid));
    set_thread_groups(&[]).attempt("setgroups")?;
    set_thread_res_gid(gid, gid, gid).attempt("setresgid")?;
    set_thread_res_uid(uid, uid, uid).attempt("setresuid")?;
    // A change of user has put this back. Without a world, whoever started the jail is the parent.
    let parent_is_jail = policy.world.is_some();
    if parent_is_jail {
        set_parent_process_death_signal(Some(Signal::KILL)).attempt("prctl PR_SET_PDEATHSIG")?;
    }
    Ok(())
}

fn empty_capabilities() -> Result<(), Failure> {
    let none = CapabilitySet::empty();
    clear_ambient_capability_set().attempt("prctl PR_CAP_AMBIENT_CLEAR_ALL")?;
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).attempt("capset")
}

/// Installs the policy's filter if it is one with, or without, no_new_privs as `no_new_privs` says.
fn install(policy: &Policy, no_new_privs: bool) -> Result<(), Failure> {
    let Some(Filter { refusals, .. }) = policy.filter.as_ref().filter(|filter| filter.no_new_privs == no_new_privs)
    else {
        return Ok(());
    };
    if no_new_privs {
        set_no_new_privs(true).attempt("prctl PR_SET_NO_NEW_PRIVS")?;
    }
    filter::install(refusals)
}

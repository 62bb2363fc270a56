//! Landlock (landlock(7)): a lock on files, network, signals and abstract sockets that needs no namespace.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use super::policy::{DEVICES, SHARED_MEMORY};
use super::{Mechanism, Place, Policy, SandboxError};

/// The newest version whose rights are asked for. An older kernel enforces what it knows: file access at the least.
const NEWEST: ABI = ABI::V6;

/// What the runtime consists of as a root directory; its other directories are links to these, or mount points.
const RUNTIME_PARTS: [&str; 2] = ["usr", "etc"];

/// What is confined beyond files, which always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confined {
    /// Signals reach the worker's own processes only (version 6, Linux 6.12).
    pub signals: bool,
}

/// Reading the runtime; writing in the scratch space; no network; no signal or abstract socket to the outside.
pub fn restrict(policy: &Policy, place: &Place) -> Result<Confined, SandboxError> {
    let oldest = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    // Without the first version there is no Landlock at all, and that must not pass in silence.
    let oldest = oldest.handle_access(AccessFs::from_all(ABI::V1));
    let oldest = oldest.map_err(|_| {
        SandboxError::at(Mechanism::Landlock, "landlock_create_ruleset")("this kernel does not offer it")
    })?;
    let status =
        ruleset(oldest, policy, place).map_err(SandboxError::at(Mechanism::Landlock, "landlock_restrict_self"))?;
    match status {
        LandlockStatus::Available { effective_abi, .. } => Ok(Confined { signals: effective_abi >= ABI::V6 }),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => {
            Err(SandboxError::at(Mechanism::Landlock, "landlock_create_ruleset")(format!("{status:?}")))
        }
    }
}

fn ruleset(oldest: Ruleset, policy: &Policy, place: &Place) -> Result<LandlockStatus, Box<dyn std::error::Error>> {
    let read = AccessFs::from_read(ABI::V1);
    let scratch = AccessFs::from_all(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let mut rules = oldest
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    if policy.has(Mechanism::Root) {
        // Everything can be listed, but files of /proc cannot be read: they tell of the host's mounts, and of the network
        // namespace that a worker shares with others.
        rules = allow(rules, Path::new("/"), AccessFs::ReadDir.into())?;
        for part in RUNTIME_PARTS {
            rules = allow(rules, &place.runtime.join(part), read)?;
        }
    } else {
        rules = allow(rules, &place.runtime, read)?;
    }
    rules = allow(rules, &place.scratch, scratch)?;
    if policy.has(Mechanism::Scratch) {
        rules = allow(rules, Path::new(SHARED_MEMORY), scratch)?;
    }
    for name in DEVICES {
        rules = allow(rules, &Path::new("/dev").join(name), device)?;
    }
    let status = rules.restrict_self().map_err(Box::<RulesetError>::new)?;
    Ok(status.landlock)
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Box<dyn std::error::Error>> {
    Ok(rules.add_rule(PathBeneath::new(PathFd::new(path)?, access))?)
}

//! Landlock (landlock(7)): a second lock on files, network, signals and abstract sockets, independent of namespaces.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

use super::policy::{DEVICES, SCRATCH, SHARED_MEMORY};
use super::{Mechanism, SandboxError};

/// The newest version whose rights are asked for. An older kernel enforces what it knows: file access at the least.
const NEWEST: ABI = ABI::V6;

/// Reading below the root; writing in the scratch space; no network; no signal or abstract socket to the outside.
pub fn restrict_files() -> Result<(), SandboxError> {
    let status = ruleset().map_err(SandboxError::at(Mechanism::Landlock, "landlock_restrict_self"))?;
    match status {
        LandlockStatus::Available { .. } => Ok(()),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => {
            Err(SandboxError::at(Mechanism::Landlock, "landlock_create_ruleset")(format!("{status:?}")))
        }
    }
}

fn ruleset() -> Result<LandlockStatus, Box<dyn std::error::Error>> {
    let read = AccessFs::from_read(ABI::V1);
    let scratch = AccessFs::from_all(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let mut rules = Ruleset::default()
        // Without the first version there is no Landlock at all, and that must not pass in silence.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new("/")?, read))?;
    for path in [SCRATCH, SHARED_MEMORY] {
        rules = rules.add_rule(PathBeneath::new(PathFd::new(path)?, scratch))?;
    }
    for device in DEVICES {
        let path = PathFd::new(format!("/dev/{device}"))?;
        rules = rules.add_rule(PathBeneath::new(path, AccessFs::ReadFile | AccessFs::WriteFile))?;
    }
    let status = rules.restrict_self().map_err(Box::<RulesetError>::new)?;
    Ok(status.landlock)
}

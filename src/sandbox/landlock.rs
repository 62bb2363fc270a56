//! Landlock (landlock(7)): a lock on files, network, signals and abstract sockets that needs no namespace.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, Scope,
};

use super::policy::{DEVICES, SHARED_MEMORY};
use super::{Mechanism, Policy, SandboxError, WorkerPaths, capabilities};

/// The newest version whose rights are asked for. An older kernel enforces what it knows: file access at the least.
const NEWEST: ABI = ABI::V6;

/// The version that can keep signals in.
const SIGNALS: i64 = 6;

/// What the runtime consists of as a root directory; its other directories are links to these, or mount points.
const RUNTIME_PARTS: [&str; 2] = ["usr", "etc"];

/// Rules that a worker can be put under. Made ahead, and good for as long as the scratch space is the same.
#[derive(Debug)]
pub struct Rules {
    ruleset: OwnedFd,
    /// Whether signals reach the worker's own processes only (version 6, Linux 6.12).
    pub keep_signals: bool,
}

impl Rules {
    /// Reading the runtime; writing in the scratch space; no network; no signal or abstract socket to the outside.
    pub fn make(policy: &Policy, place: &WorkerPaths) -> Result<Self, SandboxError> {
        let failed = |reason: &str| SandboxError::at(Mechanism::Landlock, "landlock_create_ruleset")(reason);
        let oldest = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        // Without the first version there is no Landlock at all, and that must not pass in silence.
        let Ok(oldest) = oldest.handle_access(AccessFs::from_all(ABI::V1)) else {
            return Err(failed("this kernel does not offer it"));
        };
        let made = ruleset(oldest, policy, place).map_err(|error| error.to_string());
        let ruleset = made.and_then(|rules| Option::<OwnedFd>::from(rules).ok_or("it is not enabled".to_owned()));
        let keep_signals = crate::sys::landlock_version() >= SIGNALS;
        Ok(Self { ruleset: ruleset.map_err(|reason| failed(&reason))?, keep_signals })
    }

    /// The same rules, for a worker to be put under and closed there.
    pub fn try_clone(&self) -> Result<Self, SandboxError> {
        let ruleset = self.ruleset.try_clone().map_err(SandboxError::fault("dup"))?;
        Ok(Self { ruleset, keep_signals: self.keep_signals })
    }

    /// Puts this process and its descendants under the rules, for good.
    pub fn enforce(&self) -> Result<(), SandboxError> {
        let failed = |step| SandboxError::at(Mechanism::Landlock, step);
        capabilities::forbid_new_privileges().map_err(failed("prctl PR_SET_NO_NEW_PRIVS"))?;
        crate::sys::landlock_restrict_self(&self.ruleset)
            .map_err(SandboxError::at(Mechanism::Landlock, "landlock_restrict_self"))
    }
}

impl AsFd for Rules {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ruleset.as_fd()
    }
}

fn ruleset(
    oldest: Ruleset,
    policy: &Policy,
    place: &WorkerPaths,
) -> Result<RulesetCreated, Box<dyn std::error::Error>> {
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
    Ok(rules)
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Box<dyn std::error::Error>> {
    Ok(rules.add_rule(PathBeneath::new(PathFd::new(path)?, access))?)
}

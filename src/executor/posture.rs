//! Finding out what locks workers in on this host: by trying, never by version numbers.

use tracing::{info, warn};

use super::zygote::{Embryo, Refused, StartError};
use crate::config::Config;
use crate::sandbox::posture::Posture;
use crate::sandbox::privileges::Installation;
use crate::sandbox::{self, Policy, Promise};

/// What a watch of epoll counts for at the least; the host allows so many for each user, and the service needs some.
fn watch_bytes(policy: &Policy, concurrency: usize) -> u64 {
    let limit = std::fs::read_to_string("/proc/sys/fs/epoll/max_user_watches");
    let limit = limit.ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(u64::MAX);
    // All scripts together may take half of them, the one on the spare place included.
    let share = limit / 2 / (concurrency as u64 + 1);
    policy.watch_bytes.max(policy.memory_bytes / share.max(1))
}

/// Tries everything, and then everything but what was refused, until a worker is locked in and cannot break out. Gives
/// the zygote that is to be, and what came of it.
pub async fn find(config: &Config, installation: &Installation) -> Result<(Embryo, Posture), StartError> {
    let mut policy = config.policy.clone();
    policy.watch_bytes = watch_bytes(&policy, config.concurrency);
    let mut posture = Posture::new(policy, config.strictness, config.without.clone());
    if let Some(exposed) = installation.exposed.clone() {
        // Switched off, it is not offered in the first place.
        let _ = posture.refused(exposed);
    }
    let embryo = loop {
        match attempt(installation, &posture.policy).await? {
            Ok(embryo) => break embryo,
            Err(refused) => {
                for error in refused {
                    posture.refused(error).map_err(|error| StartError::Zygote(error.to_string()))?;
                }
            }
        }
    };
    report(&posture)?;
    if posture.policy.sweeps_tmp() {
        // It survives the end of a service that could not make sure of it.
        sandbox::empty_tmp().map_err(|error| StartError::Zygote(format!("cannot empty /tmp: {error}")))?;
    }
    Ok((embryo, posture))
}

/// A launcher that was refused something has half done it: each attempt is a process of its own.
async fn attempt(installation: &Installation, policy: &Policy) -> Result<Result<Embryo, Refused>, StartError> {
    let mut embryo = match Embryo::start(installation, policy).await? {
        Ok(embryo) => embryo,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(embryo.probe(policy).await?.map(|()| embryo))
}

fn report(posture: &Posture) -> Result<(), StartError> {
    let unacceptable = posture.unacceptable();
    if !unacceptable.is_empty() {
        let broken =
            unacceptable.into_iter().map(|promise| format!("{}: {}", promise.text(), posture.reasons(promise)));
        return Err(StartError::Promises(broken.collect()));
    }
    let [no_network, no_files, no_other_processes, no_secrets, bounded, nothing_left_behind] =
        Promise::ALL.map(|promise| posture.enforcers(promise));
    let missing = posture.missing().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    macro_rules! line {
        ($level:ident, $message:literal) => {
            $level!(
                no_network,
                no_files,
                no_other_processes,
                no_secrets,
                bounded,
                nothing_left_behind,
                missing,
                $message
            )
        };
    }
    if posture.broken().is_empty() {
        line!(info, "every promise is kept");
    } else {
        line!(warn, "NOT every promise is kept");
    }
    Ok(())
}

//! Finding out what locks workers in on this host: by trying, never by version numbers.

use tracing::{info, warn};

use super::zygote_client::{Refused, StartError, StartingZygote};
use crate::config::Config;
use crate::sandbox::policy::{KernelLimits, Weights};
use crate::sandbox::privileges::Installation;
use crate::sandbox::report::{Adjustment, IsolationReport};
use crate::sandbox::{self, Mechanism, Policy, Promise};

/// Reads what limits this kernel has.
fn kernel_limits() -> KernelLimits {
    let number = |path: &str| std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    KernelLimits {
        user_watches: number("/proc/sys/fs/epoll/max_user_watches"),
        socket_bytes: number("/proc/sys/net/core/wmem_default"),
        user_pipe_pages: number("/proc/sys/fs/pipe-user-pages-hard"),
        mappings: number("/proc/sys/vm/max_map_count"),
        fault_bytes: fault_bytes(LARGE_PAGES.as_ref()),
        large_page_bytes: number(&format!("{LARGE_PAGES}/hpage_pmd_size")),
    }
}

/// Directory in which the kernel tells of large pages, and of sizes between.
const LARGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage";

/// The largest size between that this kernel uses for a process's own memory (Linux 6.8); 0 if it uses none.
fn fault_bytes(directory: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let used = entries.filter_map(Result::ok).filter(|entry| {
        std::fs::read_to_string(entry.path().join("enabled")).is_ok_and(|text| !text.contains("[never]"))
    });
    let sizes = used.filter_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse::<u64>().ok()
    });
    let large = std::fs::read_to_string(directory.join("hpage_pmd_size")).ok();
    let large = large.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
    sizes.map(|size| size << 10).filter(|size| *size < large).max().unwrap_or(0)
}

/// Tries everything, and then everything but what was refused, until a worker is locked in and cannot break out. Gives
/// the zygote that is to be, and what came of it.
pub async fn find(
    config: &Config,
    installation: &Installation,
) -> Result<(StartingZygote, IsolationReport), StartError> {
    let mut policy = config.policy.clone();
    // The script on the spare place is one more.
    policy.weights = Weights::new(kernel_limits(), policy.memory_bytes, config.concurrency + 1);
    let elsewhere = choose_scratch_parent(&mut policy);
    let mut posture = IsolationReport::new(policy, config.strictness, config.without.clone());
    if let Some(exposed) = installation.exposed.clone() {
        // Switched off, it is not offered in the first place.
        let _ = posture.refused(vec![exposed]);
    }
    if let Err(refused) = &installation.cgroups {
        let _ = posture.refused(vec![refused.clone()]);
    }
    let starting = loop {
        match attempt(installation, &posture.policy).await? {
            Ok(starting) => break starting,
            Err(refused) => posture.refused(refused).map_err(|error| StartError::Zygote(error.to_string()))?,
        }
    };
    posture.adjustments.clone_from(&config.adjustments);
    if !posture.policy.has(Mechanism::Scratch) {
        posture.adjustments.extend(elsewhere);
    }
    report(&posture)?;
    if posture.policy.sweeps_tmp() {
        // It survives the end of a service that could not make sure of it.
        sandbox::empty_tmp().map_err(|error| StartError::Zygote(format!("cannot empty /tmp: {error}")))?;
    }
    Ok((starting, posture))
}

/// Chooses where scratch spaces lie on the host, if nobody has said it and it is not /tmp. Where there is no place, that matters
/// only if workers cannot have a file system of their own: then the attempt fails, and says so.
fn choose_scratch_parent(policy: &mut Policy) -> Option<Adjustment> {
    if policy.scratch_parent.is_some() || policy.owns_tmp {
        return None;
    }
    let (parent, refused) = sandbox::find_parent().ok()?;
    let refused = refused?;
    let adjustment = Adjustment {
        setting: "EXECUTOR_SCRATCH_DIR",
        wanted: policy.scratch_parent().display().to_string(),
        used: parent.display().to_string(),
        reason: format!("{}: {}", refused.step, refused.reason),
    };
    policy.scratch_parent = Some(parent);
    Some(adjustment)
}

/// A launcher that was refused something has half done it: each attempt is a process of its own.
async fn attempt(installation: &Installation, policy: &Policy) -> Result<Result<StartingZygote, Refused>, StartError> {
    let mut starting = match StartingZygote::start(installation, policy).await? {
        Ok(starting) => starting,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(starting.probe(installation, policy).await?.map(|()| starting))
}

fn report(posture: &IsolationReport) -> Result<(), StartError> {
    let unacceptable = posture.unacceptable();
    if !unacceptable.is_empty() {
        let broken =
            unacceptable.into_iter().map(|promise| format!("{}: {}", promise.text(), posture.reasons(promise)));
        return Err(StartError::Promises(broken.collect()));
    }
    for Adjustment { setting, wanted, used, reason } in &posture.adjustments {
        warn!(setting, wanted, used, reason, "the host does not allow what is set");
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

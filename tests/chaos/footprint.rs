//! What a service at rest has: none of it should grow.

use super::Fallible;
use super::host::{CONCURRENCY, Host};
use super::tree::{anonymous_kib, descriptors};

/// A quantity, and by how much it may grow for other reasons than a leak.
#[derive(Debug, Clone)]
pub struct Figure {
    pub what: &'static str,
    pub amount: u64,
    /// Part of the amount, in percent: allocators do not give everything back.
    percent: u64,
    /// The same in the figure's own unit.
    slack: u64,
}

/// A figure before and after.
#[derive(Debug, Clone)]
pub struct Change {
    pub before: Figure,
    pub after: Figure,
}

impl Change {
    pub fn is_leak(&self) -> bool {
        let Figure { amount, percent, slack, .. } = self.before;
        self.after.amount > amount + amount * percent / 100 + slack
    }
}

/// Monitors wait to be used again, as many as there have been workers at a time; each has a descriptor of the service.
/// How many of them there are depends on how the load went, so of each zygote's a few more are no leak.
const MONITORS: u64 = 4 * CONCURRENCY as u64;

/// Memory that comes and goes with the allocators' and the kernel's own habits.
const MEMORY_KIB: u64 = 3 << 10;

/// All figures of a service, once it has come to rest.
pub async fn footprint(host: &Host) -> Fallible<Vec<Figure>> {
    let tree = host.at_rest().await?;
    let memory = |pids: &[u32]| pids.iter().filter_map(|pid| anonymous_kib(*pid)).sum();
    let open: usize = tree.zygotes.iter().map(|pid| descriptors(*pid)).sum();
    let figure = |what, amount: usize| Figure { what, amount: amount as u64, percent: 0, slack: 0 };
    let kib = |what, amount| Figure { what, amount, percent: 5, slack: MEMORY_KIB };
    let workers = tree.workers.len() + tree.zygotes.len() + tree.launchers.len();
    let in_tmp = std::fs::read_dir(host.tmp()).map_err(|error| format!("{}: {error}", host.tmp().display()))?;
    Ok(vec![
        figure("workers, zygotes and launchers", workers),
        Figure { slack: MONITORS, ..figure("monitors", tree.monitors.len()) },
        figure("zombies", tree.zombies),
        Figure { slack: MONITORS, ..figure("descriptors of the service", descriptors(tree.service)) },
        Figure { slack: 2, ..figure("descriptors of zygotes", open) },
        figure("files in /tmp", in_tmp.count()),
        kib("service, anonymous KiB", memory(&[tree.service])),
        kib("zygotes, anonymous KiB", memory(&tree.zygotes)),
    ])
}

pub fn changes(before: &[Figure], after: &[Figure]) -> Vec<Change> {
    let pairs = before.iter().cloned().zip(after.iter().cloned());
    pairs.map(|(before, after)| Change { before, after }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: u64, after: u64) -> Change {
        let figure = |amount| Figure { what: "something", amount, percent: 5, slack: 10 };
        Change { before: figure(before), after: figure(after) }
    }

    #[test]
    fn growth_beyond_the_tolerance_is_a_leak() {
        assert!(!change(1000, 1060).is_leak());
        assert!(change(1000, 1061).is_leak());
        assert!(!change(1000, 1).is_leak());
    }
}

//! The service's processes, told apart by their place in the tree (docs/ARCHITECTURE.md, Processes), and what each has.

use std::time::{Duration, Instant};

use crate::http::PATIENCE;
use crate::process::{Entry, Owned};
use crate::stats::Samples;
use crate::{Fallible, served::Served};

/// All processes of a service at one moment.
#[derive(Debug, Default)]
pub struct Tree {
    pub service: u32,
    pub launchers: Vec<u32>,
    pub zygotes: Vec<u32>,
    pub guards: Vec<u32>,
    /// Parked or running, with what scripts have started.
    pub workers: Vec<u32>,
}

impl Tree {
    pub fn of(process: &Owned) -> Self {
        let all: Vec<Entry> = process.descendants().into_iter().filter(Entry::is_alive).collect();
        let below = |parents: &[u32]| -> Vec<u32> {
            all.iter().filter(|entry| parents.contains(&entry.parent)).map(|entry| entry.pid).collect()
        };
        let launchers = below(&[process.id()]);
        let first = below(&launchers);
        // A zygote that has forked itself and gone on with imports, and guards.
        let (preloaded, _): (Vec<u32>, Vec<u32>) = below(&first).into_iter().partition(|pid| is_preloaded(*pid));
        let zygotes = [first, preloaded].concat();
        let guards: Vec<u32> = below(&zygotes).into_iter().filter(|pid| !zygotes.contains(pid)).collect();
        let known = |pid: &u32| launchers.contains(pid) || zygotes.contains(pid) || guards.contains(pid);
        let workers = all.iter().map(|entry| entry.pid).filter(|pid| !known(pid)).collect();
        Self { service: process.id(), launchers, zygotes, guards, workers }
    }

    /// When nothing comes or goes any more: every worker is parked, and what was used is gone.
    pub async fn at_rest(served: &Served) -> Fallible<Self> {
        const STILL: usize = 5;
        let deadline = Instant::now() + PATIENCE;
        let (mut last, mut same) = (Self::of(&served.process), 0);
        while same < STILL {
            if Instant::now() > deadline {
                return Err(served.blame("the service does not come to rest"));
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
            let now = Self::of(&served.process);
            same = if now.workers == last.workers && !now.workers.is_empty() { same + 1 } else { 0 };
            last = now;
        }
        Ok(last)
    }

    /// All of them.
    pub fn all(&self) -> Vec<u32> {
        [&[self.service][..], &self.launchers, &self.zygotes, &self.guards, &self.workers].concat()
    }

    /// The workers below a zygote.
    pub fn workers_of(&self, zygote: u32) -> Vec<u32> {
        let is_below = |pid: u32| -> bool {
            let mut at = pid;
            while let Some(parent) = parent(at).filter(|parent| *parent > 1) {
                if self.zygotes.contains(&parent) {
                    return parent == zygote;
                }
                at = parent;
            }
            false
        };
        self.workers.iter().copied().filter(|pid| is_below(*pid)).collect()
    }
}

/// Pages that this process alone has, in KiB. Needs root: none of them can be looked into by others.
pub fn private_kib(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let of = |name: &str| number(&rollup, name);
    Some(of("Private_Clean:")? + of("Private_Dirty:")?)
}

/// Memory of no file, whoever shares it, in KiB: what a leak would show in. What a zygote alone has depends on how many
/// forks it has at the moment.
pub fn anonymous_kib(pid: u32) -> Option<u64> {
    number(&std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Anonymous:")
}

/// This process's part of every page that it has, in KiB; of all processes together it is what they really take.
pub fn share_kib(pid: u32) -> Option<u64> {
    number(&std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:")
}

/// The median of several processes, and how many there are.
pub fn median_kib(pids: &[u32]) -> Option<(u64, usize)> {
    let mut samples = Samples::default();
    pids.iter().filter_map(|pid| private_kib(*pid)).for_each(|kib| samples.push(kib as f64));
    Some((samples.median()? as u64, samples.len()))
}

pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Whether a zygote has the large modules.
pub fn is_preloaded(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.contains("pandas"))
}

/// How often a process has waited: one that is parked does not go on doing it.
pub fn waits(pid: u32) -> Option<u64> {
    number(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "voluntary_ctxt_switches:")
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    number(&status, "PPid:").and_then(|number| u32::try_from(number).ok())
}

fn number(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

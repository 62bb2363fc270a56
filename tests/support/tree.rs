//! The service's processes, told apart by their place in the tree (docs/ARCHITECTURE.md, Processes), and what each has.

use std::time::{Duration, Instant};

use super::process::{Entry, Watched, descendants};

/// All processes of a service at one moment.
#[derive(Debug, Default)]
pub struct Tree {
    pub service: u32,
    pub launchers: Vec<u32>,
    pub zygotes: Vec<u32>,
    pub monitors: Vec<u32>,
    /// Parked or running, with what scripts have started.
    pub workers: Vec<u32>,
    /// How many have ended and were not waited for.
    pub zombies: usize,
    entries: Vec<Entry>,
}

/// The first word of a launcher's command.
const LAUNCHER: &str = "zygote-enter";

impl Tree {
    pub fn of(service: u32) -> Self {
        let (all, zombies): (Vec<Entry>, Vec<Entry>) = descendants(service).into_iter().partition(Entry::is_alive);
        let below = |parents: &[u32]| -> Vec<u32> {
            all.iter().filter(|entry| parents.contains(&entry.parent)).map(|entry| entry.pid).collect()
        };
        // Without namespaces there is no launcher, and what outlives a zygote may come to the service: it leads no session.
        let is_launcher = |pid: &u32| all.iter().any(|entry| entry.pid == *pid && entry.command.contains(LAUNCHER));
        let is_leader = |pid: &u32| all.iter().any(|entry| entry.pid == *pid && entry.session == *pid);
        let (launchers, unlaunched): (Vec<u32>, Vec<u32>) = below(&[service]).into_iter().partition(is_launcher);
        let (direct, orphans): (Vec<u32>, Vec<u32>) = unlaunched.into_iter().partition(is_leader);
        let first = [below(&launchers), direct].concat();
        // A zygote that has forked itself and gone on with imports, and monitors, also those that have outlived it.
        let preloaded = below(&first).into_iter().filter(|pid| is_preloaded(*pid) && !is_init(*pid)).collect();
        let zygotes = [first, preloaded].concat();
        let mut monitors: Vec<u32> = below(&zygotes).into_iter().filter(|pid| !zygotes.contains(pid)).collect();
        monitors.extend(orphans);
        let known = |pid: &u32| launchers.contains(pid) || zygotes.contains(pid) || monitors.contains(pid);
        let workers = all.iter().map(|entry| entry.pid).filter(|pid| !known(pid)).collect();
        Self { service, launchers, zygotes, monitors, workers, zombies: zombies.len(), entries: all }
    }

    /// When nothing comes or goes any more: every worker is parked, and what was used is gone. None if that does not
    /// come to be in time.
    pub async fn at_rest(service: u32, patience: Duration) -> Option<Self> {
        const STILL: usize = 5;
        let deadline = Instant::now() + patience;
        let (mut last, mut same) = (Self::of(service), 0);
        while same < STILL {
            if Instant::now() > deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
            let now = Self::of(service);
            same = if now.workers == last.workers && !now.workers.is_empty() { same + 1 } else { 0 };
            last = now;
        }
        Some(last)
    }

    /// Holds one of them, so that its number cannot come to mean another process; none when it is gone.
    pub fn watch(&self, pid: u32) -> Option<Watched> {
        self.entries.iter().find(|entry| entry.pid == pid)?.watch()
    }

    /// Whether one of them was executing, or could have.
    pub fn was_running(&self, pid: u32) -> bool {
        self.entries.iter().any(|entry| entry.pid == pid && entry.state == 'R')
    }

    /// All of them.
    pub fn all(&self) -> Vec<u32> {
        [&[self.service][..], &self.launchers, &self.zygotes, &self.monitors, &self.workers].concat()
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

pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Whether a zygote has the large modules.
pub fn is_preloaded(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.contains("pandas"))
}

/// Whether it is the first process of its PID namespace, as a monitor is where there are any.
fn is_init(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
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

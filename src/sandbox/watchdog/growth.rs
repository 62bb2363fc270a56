//! The most that a tree can have grown by while nothing of it was counted exactly.
//!
//! Its resident sizes do not tell: pages that processes share are in each of them, so what one gives back hides what it takes for
//! itself alone. But a page comes by a fault, and the kernel counts faults (mm_account_fault in mm/memory.c), also those that
//! bring a large page, these for all processes of the host together. What else the kernel makes for a process takes processor time.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;

use super::process::{Tree, read};
use super::procfs::{Stat, Unreadable, large_pages};
use crate::sandbox::policy::Weights;
use crate::sys;

/// Bytes that a process can have the kernel make in a millisecond on one processor, besides pages and page tables: mappings of
/// a process with many ancestors are what takes least.
const MADE_IN_A_MILLISECOND: u64 = 1 << 20;

/// Figures at the last glance.
#[derive(Debug, Default)]
pub struct Growth {
    processes: HashMap<Pid, Figures>,
    large_pages: u64,
    counted: u64,
}

/// Figures of a process, from its beginning.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    faults: u64,
    time: Duration,
}

impl Growth {
    /// Bytes that the tree may have grown by since this was asked last; of a process that is new, since it began. `counted` is what
    /// a glance knows exactly: page tables and files.
    pub fn since_last(&mut self, tree: &Tree, counted: u64, weights: &Weights) -> Result<u64, Unreadable> {
        let before = std::mem::take(&mut self.processes);
        let (mut faults, mut time) = (0_u64, Duration::ZERO);
        for process in &tree.processes {
            // One that is gone has nothing.
            let Some(stat) = process.stat()? else { continue };
            let now = Figures { faults: Stat::parse(&stat)?.faults, time: sys::cpu_time(process.number) };
            let last = before.get(&process.number).copied().unwrap_or_default();
            faults = faults.saturating_add(now.faults.saturating_sub(last.faults));
            time += now.time.saturating_sub(last.time);
            self.processes.insert(process.number, now);
        }
        let large = read(Path::new("vmstat"))?.and_then(|text| large_pages(&text));
        let new_large = large.map(|large| large.saturating_sub(self.large_pages));
        let new_counted = counted.saturating_sub(self.counted);
        self.large_pages = large.unwrap_or(0);
        self.counted = counted;
        Ok(brought(faults, new_large, weights).saturating_add(made(time)).saturating_add(new_counted))
    }
}

/// Bytes of pages. Where large ones are not told, each fault may have brought one.
fn brought(faults: u64, large_pages: Option<u64>, weights: &Weights) -> u64 {
    match large_pages {
        Some(large) => faults.saturating_mul(weights.fault).saturating_add(large.saturating_mul(weights.large_page)),
        None => faults.saturating_mul(weights.large_page),
    }
}

/// Bytes that the kernel may have made otherwise.
fn made(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_mul(MADE_IN_A_MILLISECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_brings_a_page_and_nobody_knows_whose_a_large_one_is() {
        let weights = Weights { fault: 4096, large_page: 2 << 20, ..Weights::default() };
        assert_eq!(brought(3, Some(0), &weights), 3 * 4096);
        assert_eq!(brought(3, Some(2), &weights), 3 * 4096 + (4 << 20));
        assert_eq!(brought(3, None, &weights), 6 << 20);
    }

    #[test]
    fn time_lets_a_tree_grow() {
        assert_eq!(made(Duration::from_millis(200)), 200 << 20);
    }
}

//! Bounds the memory, processes and files of a job's whole process tree, from outside of it.
//!
//! A [`Watchdog`] glances at the tree: it reads what the kernel tells at once, and never waits for what a script can hold, such
//! as the lock of a memory map. What that shows is an upper bound. Only where it is over a limit, or where something has no
//! such bound, an [`Inspection`] counts exactly. It can be held up, so the monitor has it made by a thread that it does not
//! wait for (`zygote::inspector`).
//!
//! Memory is: resident and swapped pages, a shared page once; page tables, and what the kernel keeps for mappings, descriptors
//! and record locks; files in memory; what the buffers of open pipes and sockets can hold, and what epoll keeps. Memory that
//! none of this shows is refused by the system call filter. docs/BOUNDS.md lists every resource.
//!
//! Where a cgroup counts memory and processes (`cgroup`), only record locks and files are left, which no cgroup counts.

mod process;
pub mod procfs;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Pid;

use super::scratch::{Counter, Scratch, Usage};
use super::{Mechanism, Policy};
use crate::protocol::Excess;
use crate::sys::Rusage;
pub use process::children;
use process::{Depths, Known, Tree, UnlinkedFiles};
pub use procfs::Unreadable;

/// Bytes that a record lock counts for. The kernel keeps about 200 (struct file_lock) and no cgroup counts them. They count
/// for more, because while others are made, the kernel takes some 20 milliseconds for every 80 that it lists (file_rwsem in
/// fs/locks.c): they must be too many while they are few.
const LOCK_BYTES: u64 = 64 * 1024;

/// Where it cannot be asked whose memory is the same: a child that subprocess has made has its parent's until it executes
/// its program, which takes about a millisecond (vfork(2)), and is counted twice as long.
const SECOND_LOOK: Duration = Duration::from_millis(3);

/// Watches a worker and all its descendants. The working directory must be a /proc that hides nothing.
pub struct Watchdog<'a> {
    policy: &'a Policy,
    scratch: &'a Scratch,
    worker: Pid,
    /// Bytes that a sealed worker had mapped otherwise than for itself when its job began.
    mapped_at_first: u64,
    known: Known,
}

/// Result of a glance.
#[derive(Debug, Clone)]
pub struct Glance {
    /// Limit that the processes are over.
    pub excess: Option<Excess>,
    /// Limit that they may be over: an inspection must say so.
    pub suspicion: Option<Excess>,
    /// Bytes that each process has in memory or swapped.
    pub resident: HashMap<Pid, u64>,
    /// Parts of an inspection that this process has seen to.
    pub seen: Seen,
}

/// Figures that a glance leaves to an inspection.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Bytes of memory that belong to no process that is there.
    base: u64,
    /// Room that the file system of the scratch space has lost since the job began.
    taken: Usage,
    depths: Depths,
}

/// Parts of an inspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// What a glance has raised a suspicion about.
    Suspected,
    /// Record locks as well: the kernel waits for all processors before it lists them (synchronize_rcu in fs/locks.c).
    All,
}

impl<'a> Watchdog<'a> {
    pub fn new(policy: &'a Policy, scratch: &'a Scratch, worker: Pid, mapped_at_first: u64) -> Self {
        Self { policy, scratch, worker, mapped_at_first, known: Known::default() }
    }

    /// Looks without waiting for anything. A tree that cannot be understood is over its limit.
    pub fn glance(&mut self) -> Glance {
        let looked = self.look();
        looked.unwrap_or(Glance {
            excess: Some(Excess::Memory),
            suspicion: None,
            resident: HashMap::new(),
            seen: Seen::default(),
        })
    }

    fn look(&mut self) -> Result<Glance, Unreadable> {
        let policy = self.policy;
        let taken = self.scratch.taken();
        let is_full = self.scratch.may_be_full(policy, taken);
        let suspicion = is_full.then_some(Excess::Scratch);
        if policy.has(Mechanism::Cgroup) {
            return Ok(Glance {
                excess: None,
                suspicion,
                resident: HashMap::new(),
                seen: Seen { taken, ..Seen::default() },
            });
        }
        let tree = Tree::find(policy, self.worker, &mut self.known)?;
        // A resource limit counts them where a worker has a user namespace.
        let is_overcrowded = !policy.has(Mechanism::Namespaces) && tree.tasks() > policy.max_processes;
        let base = self.scratch.memory().saturating_add(tree.exiting).saturating_add(hidden(
            policy,
            &tree,
            self.mapped_at_first,
        )?);
        let mut bound = base;
        for process in &tree.processes {
            let figure = process.bound(policy)?;
            self.known.note(process.number, figure);
            bound = bound.saturating_add(figure);
        }
        let suspicion = if bound > policy.memory_bytes { Some(Excess::Memory) } else { suspicion };
        Ok(Glance {
            excess: is_overcrowded.then_some(Excess::Processes),
            suspicion,
            resident: tree.resident(),
            seen: Seen { base, taken, depths: self.known.depths.clone() },
        })
    }

    /// Bytes that the worker maps and that are not its own private memory. Where it is sealed, what comes to be more is
    /// shared memory without a name: it stays when no page table names it any more, so no other figure shows it.
    pub fn mapped(&mut self) -> u64 {
        let tree = Tree::find(self.policy, self.worker, &mut self.known);
        tree.and_then(|tree| shared_mappings(&tree)).unwrap_or(0)
    }

    /// The number of processes that the watchdog can see.
    pub fn sees(&mut self) -> usize {
        Tree::find(self.policy, self.worker, &mut self.known).map_or(0, |tree| tree.processes.len())
    }

    /// What the processes of the PID namespace have used so far, with those of their children that they have waited for.
    /// `None` where the worker cannot be asked any more, or there is no such namespace.
    pub fn used(&mut self) -> Option<Rusage> {
        if !self.policy.has(Mechanism::Namespaces) {
            return None;
        }
        let tree = Tree::find(self.policy, self.worker, &mut self.known).ok()?;
        let has_worker = tree.processes.iter().any(|process| process.number == self.worker);
        let used = || process::used(tree.processes.iter().map(|process| process.number));
        // A worker that is ending has given its memory back, and does not tell any more how much it was.
        has_worker.then(used).filter(|used| used.max_rss_bytes > 0)
    }

    /// What a thread beside this one needs to inspect the same tree.
    pub fn inspection(&self, progress: Arc<AtomicU64>) -> Inspection<'a> {
        Inspection {
            policy: self.policy,
            worker: self.worker,
            counter: self.scratch.counter(),
            known: Known::default(),
            locks: 0,
            progress,
        }
    }
}

/// Result of an inspection.
#[derive(Debug, Clone, Copy)]
pub struct Finding {
    /// Limit that the tree is over.
    pub excess: Option<Excess>,
    /// Bytes of memory that it may still take.
    pub slack: u64,
}

/// Counts exactly what a tree uses. Reading can take as long as a script likes.
pub struct Inspection<'a> {
    policy: &'a Policy,
    worker: Pid,
    counter: Counter,
    known: Known,
    /// Bytes of record locks when they were counted last.
    locks: u64,
    /// Counts what has been read, for whoever has an eye on it.
    progress: Arc<AtomicU64>,
}

impl Inspection<'_> {
    /// Counts. A tree that cannot be understood is over its limit.
    pub fn finding(&mut self, seen: Seen, parts: Parts) -> Finding {
        self.known.depths = seen.depths;
        // First what is counted soon: files can grow as fast as memory.
        match self.is_over_scratch(seen.taken) {
            Ok(false) => {}
            Ok(true) | Err(_) => return Finding { excess: Some(Excess::Scratch), slack: 0 },
        }
        if parts == Parts::All {
            match self.tree().and_then(|tree| self.count_locks(&tree)) {
                Ok(bytes) => self.locks = bytes,
                Err(_) => return Finding { excess: Some(Excess::Memory), slack: 0 },
            }
        }
        let slack = match self.memory(seen.base) {
            Ok(bytes) if bytes <= self.policy.memory_bytes => self.policy.memory_bytes - bytes,
            Ok(_) | Err(_) => return Finding { excess: Some(Excess::Memory), slack: 0 },
        };
        Finding { excess: None, slack }
    }

    /// Bytes of memory, or at the least so many as are too many. Counts twice before it says so, but for what the kernel keeps for
    /// mappings and locks: that is slow to count where there is much of it.
    fn memory(&mut self, base: u64) -> Result<u64, Unreadable> {
        let (locks, limit) = (self.locks, self.policy.memory_bytes);
        if self.policy.has(Mechanism::Cgroup) {
            return Ok(locks);
        }
        let tree = self.tree()?;
        let base = base.saturating_add(locks);
        let bound = self.sum(&tree, base, |process, _| process.bound(self.policy))?;
        if bound <= limit {
            return Ok(bound);
        }
        let of_the_kernel = self.sum(&tree, locks, |process, _| {
            // One that is hidden has as many mappings as it may, which its bound knows.
            let mappings = process.mappings().or_else(|why| if why == Unreadable::Hidden { Ok(0) } else { Err(why) });
            Ok(mappings?.saturating_mul(process.mapping_bytes()))
        })?;
        if of_the_kernel > limit {
            return Ok(of_the_kernel);
        }
        let exact = self.exact(&tree, base)?;
        if exact <= limit {
            return Ok(exact);
        }
        std::thread::sleep(SECOND_LOOK);
        let tree = self.tree()?;
        self.exact(&tree, base)
    }

    fn tree(&mut self) -> Result<Tree, Unreadable> {
        Tree::find(self.policy, self.worker, &mut self.known)
    }

    fn exact(&self, tree: &Tree, base: u64) -> Result<u64, Unreadable> {
        self.sum(tree, base, |process, buffers| process.exact(self.policy, &tree.processes, buffers))
    }

    /// Adds up until it is too much.
    fn sum(
        &self,
        tree: &Tree,
        base: u64,
        figure: impl Fn(&process::Process, &mut HashSet<Vec<u8>>) -> Result<u64, Unreadable>,
    ) -> Result<u64, Unreadable> {
        let (mut sum, mut buffers) = (base, HashSet::new());
        for process in &tree.processes {
            if sum > self.policy.memory_bytes {
                break;
            }
            sum = sum.saturating_add(figure(process, &mut buffers)?);
            self.progress.fetch_add(1, Ordering::Relaxed);
        }
        Ok(sum)
    }

    /// Bytes of record locks that the processes hold, each a line of /proc/locks with the process's number (proc_locks(5)).
    /// Those that belong to an open file instead have no number; the filter refuses to make any. The /proc of a PID namespace
    /// shows no others than its own processes'. A sealed worker has no file to lock.
    fn count_locks(&self, tree: &Tree) -> Result<u64, Unreadable> {
        if self.policy.has(Mechanism::Seal) {
            return Ok(0);
        }
        let file = match File::open("locks") {
            Ok(file) => file,
            // gVisor has none.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(_) => return Err(Unreadable::Unclear),
        };
        let are_all_ours = self.policy.has(Mechanism::Namespaces);
        let ours: HashSet<Pid> = tree.processes.iter().map(|process| process.number).collect();
        let is_ours = |line: &[u8]| {
            procfs::holder_of_lock(line).and_then(procfs::process_name).is_some_and(|holder| ours.contains(&holder))
        };
        let (mut file, mut line, mut bytes) = (BufReader::with_capacity(64 * 1024, file), Vec::new(), 0);
        // No more than are too many.
        while bytes <= self.policy.memory_bytes {
            line.clear();
            match file.read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => return Err(Unreadable::Unclear),
            }
            self.progress.fetch_add(1, Ordering::Relaxed);
            if are_all_ours || is_ours(&line) {
                bytes += LOCK_BYTES;
            }
        }
        Ok(bytes)
    }

    /// Counts files with a name, those that are open without one, and those that are only mapped. Nobody tells how large the
    /// latter are: each may be as large as a file may be, up to what the file system lacks.
    fn is_over_scratch(&mut self, taken: Usage) -> Result<bool, Unreadable> {
        let policy = self.policy;
        if !self.counter.may_be_full(policy, taken) {
            return Ok(false);
        }
        let Some(named) = self.counter.count(policy) else { return Ok(false) };
        self.progress.fetch_add(1, Ordering::Relaxed);
        let mut sum = named;
        // A sealed worker can open no file, and a tmpfs counts all of its files itself.
        if !policy.has(Mechanism::Scratch) && !policy.has(Mechanism::Seal) {
            let UnlinkedFiles { open, mapped } = UnlinkedFiles::find(&self.tree()?.processes)?;
            sum = sum.and(open);
            let unexplained = taken.bytes.saturating_sub(sum.bytes);
            sum =
                sum.and(Usage { bytes: unexplained.min(mapped.saturating_mul(policy.scratch_bytes)), inodes: mapped });
        }
        Ok(sum.bytes > policy.scratch_bytes || sum.inodes > policy.scratch_inodes)
    }
}

/// Memory of kinds that elsewhere the filter refuses to make, bytes.
fn hidden(policy: &Policy, tree: &Tree, mapped_at_first: u64) -> Result<u64, Unreadable> {
    if policy.has(Mechanism::Seccomp) {
        return Ok(0);
    }
    let mapped = if policy.has(Mechanism::Seal) { shared_mappings(tree)? } else { 0 };
    Ok(crate::sys::ipc_bytes() + mapped.saturating_sub(mapped_at_first))
}

fn shared_mappings(tree: &Tree) -> Result<u64, Unreadable> {
    tree.processes.iter().map(process::Process::shared_mappings).sum()
}

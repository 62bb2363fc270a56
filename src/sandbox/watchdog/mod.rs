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

mod growth;
mod process;
pub mod procfs;
mod returned;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::scratch::{Counter, Scratch, Usage};
use super::{Mechanism, Policy};
use crate::sandbox::usage::Excess;
use crate::sys::Rusage;
use growth::Growth;
use process::{Counted, Depths, Known, Process, Tree, UnlinkedFiles};
pub use process::{activity_of_thread, children};
pub use procfs::{Activity, Unreadable};

/// Bytes that a record lock counts for. The kernel keeps about 200 (struct file_lock) and no cgroup counts them. They count
/// for more, because while others are made, the kernel takes some 20 milliseconds for every 80 that it lists (file_rwsem in
/// fs/locks.c): they must be too many while they are few.
const LOCK_BYTES: u64 = 64 * 1024;

/// Where it cannot be asked whose memory is the same: a child that subprocess has made has its parent's until it executes
/// its program, which takes about a millisecond (vfork(2)), and is counted twice as long.
const NEXT_COUNT: Duration = Duration::from_millis(3);

/// Number of times that a tree is counted again before it is too much, and the time after which it is not.
const COUNTS: u32 = 3;
const COUNTING: Duration = Duration::from_millis(100);

/// How many times longer than for one file of /proc is waited for those that are giving memory back, and what part of that if they
/// do not run: then it may be in vain.
const RUNNING: u32 = 4;
const WAITING: u32 = 16;

/// Pause between two looks at those that are giving memory back.
const REST_INTERVAL: Duration = Duration::from_millis(2);

/// Watches a worker and all its descendants. The working directory must be a /proc that hides nothing.
pub struct Watchdog<'a> {
    policy: &'a Policy,
    scratch: &'a Scratch,
    worker: Pid,
    /// Bytes that a sealed worker had mapped otherwise than for itself when its job began.
    mapped_at_first: u64,
    known: Known,
    growth: Growth,
}

/// Result of a glance.
#[derive(Debug, Clone)]
pub struct Glance {
    /// Limit that the processes are over.
    pub excess: Option<Excess>,
    /// Limit that they may be over: an inspection must say so.
    pub suspicion: Option<Excess>,
    /// Set if so much of the scratch space may be used that its files have to be counted.
    pub is_full: bool,
    /// Bytes that they may have come to hold since the last glance that suspected them of too much memory.
    pub grown: u64,
    /// Bytes that what they have open may come to hold without a trace.
    pub open: u64,
    /// Bytes of memory that they may hold, at most.
    pub bound: u64,
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
    /// Bytes that processes may be giving back.
    returning: HashMap<Pid, u64>,
    /// Room that the file system of the scratch space has lost since the job began.
    taken: Usage,
    depths: Depths,
}

/// Parts of an inspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// What a glance has raised a suspicion about.
    Suspected,
    /// Record locks alone.
    Locks,
    /// Record locks as well: the kernel waits for all processors before it lists them (synchronize_rcu in fs/locks.c).
    All,
}

impl Glance {
    fn of(excess: Option<Excess>, suspicion: Option<Excess>, seen: Seen) -> Self {
        let is_full = suspicion == Some(Excess::Scratch);
        Self { excess, suspicion, is_full, grown: 0, open: 0, bound: 0, resident: HashMap::new(), seen }
    }
}

impl<'a> Watchdog<'a> {
    pub fn new(policy: &'a Policy, scratch: &'a Scratch, worker: Pid, mapped_at_first: u64) -> Self {
        Self { policy, scratch, worker, mapped_at_first, known: Known::default(), growth: Growth::default() }
    }

    /// Looks without waiting for anything. A tree that cannot be understood is over its limit.
    pub fn glance(&mut self) -> Glance {
        self.look().unwrap_or_else(|_| Glance::of(Some(Excess::Memory), None, Seen::default()))
    }

    fn look(&mut self) -> Result<Glance, Unreadable> {
        let policy = self.policy;
        let taken = self.scratch.taken();
        let is_full = self.scratch.may_be_full(policy, taken);
        let suspicion = is_full.then_some(Excess::Scratch);
        if policy.has(Mechanism::Cgroup) {
            return Ok(Glance::of(None, suspicion, Seen { taken, ..Seen::default() }));
        }
        let tree = Tree::find(policy, self.worker, &mut self.known)?;
        // The kernel may count them.
        let is_overcrowded = !policy.has(Mechanism::Nproc) && tree.tasks() > policy.max_processes;
        let base = self.scratch.memory().saturating_add(hidden(policy, &tree, self.mapped_at_first)?);
        let (mut bound, mut open, mut counted) = (base, 0_u64, base);
        for process in &tree.processes {
            let figures = process.bound(policy)?;
            let returning = self.known.note(process, figures)?;
            let figures = figures.unwrap_or_default();
            bound = bound.saturating_add(figures.total()).saturating_add(returning);
            open = open.saturating_add(figures.buffers);
            counted = counted.saturating_add(process.page_tables());
        }
        let is_suspect = bound > policy.memory_bytes;
        let grown = if is_suspect { self.growth.since_last(&tree, counted, &policy.weights)? } else { 0 };
        let suspicion = if is_suspect { Some(Excess::Memory) } else { suspicion };
        let seen = Seen { base, returning: self.known.returning(), taken, depths: self.known.depths.clone() };
        let excess = is_overcrowded.then_some(Excess::Processes);
        Ok(Glance { is_full, grown, open, bound, resident: tree.resident(), ..Glance::of(excess, suspicion, seen) })
    }

    /// Takes into account what an inspection has found out about processes that were giving memory back.
    pub fn settle(&mut self, finding: &Finding) {
        self.known.settle(&finding.rested);
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

    /// A sealed worker has no file to lock.
    pub fn may_have_locks(&self) -> bool {
        !self.policy.has(Mechanism::Seal)
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
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// Limit that the tree is over.
    pub excess: Option<Excess>,
    /// Set if that may only seem so: memory was counted twice, or is being given back.
    pub may_pass: bool,
    /// Bytes of memory that it may still take.
    pub slack: u64,
    /// Bytes of its record locks when they were counted last.
    pub locks: u64,
    /// Bytes that processes have given back.
    rested: HashMap<Pid, u64>,
}

impl Finding {
    fn over(limit: Excess) -> Self {
        Self { excess: Some(limit), ..Self::default() }
    }
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
            Ok(true) | Err(_) => return Finding::over(Excess::Scratch),
        }
        if parts != Parts::Suspected {
            match self.tree().and_then(|tree| self.count_locks(&tree)) {
                Ok(bytes) => self.locks = bytes,
                Err(_) => return Finding::over(Excess::Memory),
            }
        }
        let finding = if parts == Parts::Locks {
            Finding::default()
        } else {
            self.memory(seen.base, seen.returning).unwrap_or_else(|_| Finding::over(Excess::Memory))
        };
        Finding { locks: self.locks, ..finding }
    }

    /// Counts memory, or at the least so much as is too much. Counts again before it says so, but for what the kernel keeps for
    /// mappings and locks: that is slow to count where there is much of it.
    fn memory(&mut self, base: u64, returning: HashMap<Pid, u64>) -> Result<Finding, Unreadable> {
        let (locks, policy) = (self.locks, self.policy);
        let limit = policy.memory_bytes;
        let found = |bytes: u64, rested| match limit.checked_sub(bytes) {
            Some(slack) => Finding { slack, rested, ..Finding::default() },
            None => Finding::over(Excess::Memory),
        };
        if policy.has(Mechanism::Cgroup) {
            return Ok(found(locks, HashMap::new()));
        }
        let mut tree = self.tree()?;
        let mut returning = Returning { bytes: returning, rested: HashMap::new() };
        let base = base.saturating_add(locks);
        let bound = self.sum(&tree, base.saturating_add(returning.sum()), |process| {
            Ok(process.bound(policy)?.map_or(0, |figures| figures.total()))
        })?;
        if bound <= limit {
            return Ok(found(bound, HashMap::new()));
        }
        let of_the_kernel = self.sum(&tree, locks, |process| {
            // One that is hidden has as many mappings as it may, which its bound knows.
            let mappings = process.mappings().or_else(|why| if why == Unreadable::Hidden { Ok(0) } else { Err(why) });
            Ok(mappings?.saturating_mul(process.mapping_bytes()))
        })?;
        if of_the_kernel > limit {
            return Ok(found(of_the_kernel, HashMap::new()));
        }
        let (mut counts, begun) = (0, Instant::now());
        loop {
            let mut counted = Counted::default();
            let bytes = self.sum(&tree, base, |process| process.exact(policy, &tree.processes, &mut counted))?;
            match limit.checked_sub(bytes) {
                Some(slack) if returning.sum() <= slack => return Ok(found(bytes + returning.sum(), returning.rested)),
                Some(slack) => {
                    if !returning.wait(slack, patience(policy) * RUNNING, &self.progress)? {
                        return Ok(Finding { may_pass: true, ..Finding::over(Excess::Memory) });
                    }
                }
                // What is counted twice is so for about a millisecond.
                None if counts == COUNTS || begun.elapsed() > COUNTING => {
                    let may_pass = bytes.saturating_sub(counted.twice) <= limit;
                    return Ok(Finding { may_pass, ..Finding::over(Excess::Memory) });
                }
                None => {
                    counts += 1;
                    std::thread::sleep(NEXT_COUNT);
                }
            }
            tree = self.tree()?;
        }
    }

    fn tree(&mut self) -> Result<Tree, Unreadable> {
        Tree::find(self.policy, self.worker, &mut self.known)
    }

    /// Adds up until it is too much.
    fn sum(
        &self,
        tree: &Tree,
        base: u64,
        mut figure: impl FnMut(&Process) -> Result<u64, Unreadable>,
    ) -> Result<u64, Unreadable> {
        let mut sum = base;
        for process in &tree.processes {
            if sum > self.policy.memory_bytes {
                break;
            }
            sum = sum.saturating_add(figure(process)?);
            self.progress.fetch_add(1, Ordering::Relaxed);
        }
        Ok(sum)
    }

    /// Bytes of record locks that the processes hold, each a line of /proc/locks with the process's number (proc_locks(5)).
    /// Those that belong to an open file instead have no number; the filter refuses to make any. The /proc of a PID namespace
    /// shows no others than its own processes'.
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
    /// latter are: each may be as large as a file may be, up to what the file system lacks. That it lacks little says nothing of the
    /// others, for another script may give back as much as this one takes.
    fn is_over_scratch(&mut self, taken: Usage) -> Result<bool, Unreadable> {
        let policy = self.policy;
        let Some(named) = self.counter.count(policy) else { return Ok(false) };
        self.progress.fetch_add(1, Ordering::Relaxed);
        let mut sum = named;
        // A sealed worker can open no file, and a tmpfs counts all of its files itself.
        if !policy.has(Mechanism::Scratch) && !policy.has(Mechanism::Seal) {
            let UnlinkedFiles { open, mapped } = match UnlinkedFiles::find(&self.tree()?.processes) {
                // As long as the file system lacks little, that somebody cannot be looked into is no excess.
                Err(Unreadable::Hidden) if !taken.exceeds(policy) => return Ok(sum.exceeds(policy)),
                found => found?,
            };
            sum = sum.and(open);
            let unexplained = taken.bytes.saturating_sub(sum.bytes);
            sum =
                sum.and(Usage { bytes: unexplained.min(mapped.saturating_mul(policy.scratch_bytes)), inodes: mapped });
        }
        Ok(sum.exceeds(policy))
    }
}

/// Memory that processes are giving back.
struct Returning {
    bytes: HashMap<Pid, u64>,
    /// Those that have done so.
    rested: HashMap<Pid, u64>,
}

impl Returning {
    fn sum(&self) -> u64 {
        self.bytes.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// Waits until there is no more left than this. Says whether it came to that: in vain it is if processes stand still that
    /// wait for one that stands still too, or after so long. On a busy host, those that are to rest get their turn late.
    fn wait(&mut self, slack: u64, limit: Duration, progress: &AtomicU64) -> Result<bool, Unreadable> {
        let since = Instant::now();
        loop {
            let mut busiest = Activity::Rests;
            for number in self.bytes.keys().copied().collect::<Vec<_>>() {
                let activity = Process::activity_of(number)?;
                busiest = busiest.max(activity);
                if activity == Activity::Rests
                    && let Some(bytes) = self.bytes.remove(&number)
                {
                    self.rested.insert(number, bytes);
                }
            }
            if self.sum() <= slack {
                return Ok(true);
            }
            let limit = if busiest == Activity::Runs { limit } else { limit / WAITING };
            if since.elapsed() > limit {
                return Ok(false);
            }
            progress.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(REST_INTERVAL);
        }
    }
}

/// How long one file of /proc may take to read of a process that stands still, or a process to give its memory back that nobody
/// keeps from it. The kernel does 16 GB in a second at the least, where it has a processor of its own.
pub fn patience(policy: &Policy) -> Duration {
    Duration::from_secs(1) + Duration::from_secs(policy.memory_bytes >> 34)
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
    tree.processes.iter().map(Process::shared_mappings).sum()
}

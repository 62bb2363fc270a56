//! Inspections of a tree, made beside its monitor: a script can hold up whoever reads what its processes have in memory, but
//! not the monitor, which goes on with its glances, its socket and its clock meanwhile.
//!
//! A tree that may be over a limit runs for [`STOP_AFTER`] until it is counted exactly, and then stands still until it has
//! been. One that grows although it stands still, or that cannot be counted in time, is over its limit.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use crate::protocol::Excess;
use crate::sandbox::watchdog::{Finding, Glance, Inspection, Parts, Seen, Watchdog};
use crate::sandbox::{Policy, sweep};

/// How long a tree runs on that may hold more than it may: at 2 GB of memory a second and core, this is 40 MB of each core.
const STOP_AFTER: Duration = Duration::from_millis(20);

/// How long it runs on while record locks are counted that nobody suspects.
const STOP_SLOW_AFTER: Duration = Duration::from_millis(250);

/// Memory that processes may still get after they were told to stop, because the kernel is giving it to them; bytes.
const GROWTH: u64 = 64 << 20;

/// One file of /proc takes some milliseconds to read, at most: of a process that stands still, a second is out of question.
const STALL: Duration = Duration::from_secs(1);

/// A whole inspection of the largest tree takes a fraction of a second.
const LONGEST: Duration = Duration::from_secs(10);

/// Pause between two inspections: twice as long as one takes, or as long as it takes at least to use up what is left, but no
/// longer than this.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that a tree can take in a millisecond, on a few processors.
const TAKEN_IN_A_MILLISECOND: u64 = 4 << 20;

/// How often a tree is inspected for what no glance shows: record locks.
const ROUND: Duration = Duration::from_millis(100);

/// Stack of the thread, bytes.
const STACK: usize = 256 * 1024;

/// The monitor's side of the thread, which is started when it is needed first.
pub struct Inspector<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    policy: &'env Policy,
    worker: Pid,
    /// Counts what the thread has read.
    progress: Arc<AtomicU64>,
    /// Whether there may be a thread. Where scripts would see it, the monitor inspects a tree itself, which stands still
    /// meanwhile if it may have too much memory: so in gVisor, whose locks no script can hold.
    has_thread: bool,
    thread: Option<Thread<'scope>>,
    pending: Option<Pending>,
    /// When the next inspection may be made, and when it must be.
    not_before: Instant,
    next_round: Instant,
}

struct Thread<'scope> {
    handle: ScopedJoinHandle<'scope, ()>,
    requests: Sender<(Seen, Parts)>,
    answers: Receiver<Answer>,
    /// Readable when there is an answer.
    bell: OwnedFd,
}

struct Answer {
    finding: Finding,
    /// Processor time that the inspection took.
    took: Duration,
}

/// An inspection that has not come to its end.
struct Pending {
    since: Instant,
    /// Limit that the tree may be over, and since when that is known.
    suspicion: Option<(Excess, Instant)>,
    /// What the thread had read when that was looked at last, and when that changed.
    read: u64,
    read_at: Instant,
    stopped: Option<Stopped>,
}

/// A tree that stands still.
struct Stopped {
    /// Resident memory of each process at the first glance after it was stopped. Not of those that were about to be forked then:
    /// most of theirs is their parents'.
    resident: Option<HashMap<Pid, u64>>,
}

impl Stopped {
    /// Bytes by which processes have grown although they stand still.
    fn growth(&mut self, now: &HashMap<Pid, u64>) -> u64 {
        let at_first = self.resident.get_or_insert_with(|| now.clone());
        let grown = at_first.iter().filter_map(|(number, then)| Some(now.get(number)?.saturating_sub(*then)));
        grown.sum()
    }
}

impl<'scope, 'env> Inspector<'scope, 'env> {
    pub fn new(scope: &'scope Scope<'scope, 'env>, policy: &'env Policy, worker: Pid, has_thread: bool) -> Self {
        let now = Instant::now();
        let progress = Arc::default();
        Self {
            scope,
            policy,
            worker,
            progress,
            has_thread,
            thread: None,
            pending: None,
            not_before: now,
            next_round: now + ROUND,
        }
    }

    /// Readable when an inspection has come to its end.
    pub fn bell(&self) -> Option<BorrowedFd<'_>> {
        self.thread.as_ref().map(|thread| thread.bell.as_fd())
    }

    /// Ends the thread, and waits until the kernel has: a fork must not find a lock that a thread holds which it does not have.
    /// Nothing of the tree may live any more, which could hold the thread up.
    pub fn end(self) {
        if let Some(Thread { handle, requests, .. }) = self.thread {
            drop(requests);
            let _ = handle.join();
        }
    }

    /// Draws the conclusions from a glance: has the tree inspected where that is due. Gives the limit that it is over.
    pub fn consider(&mut self, glance: &Glance, watchdog: &Watchdog<'env>) -> Option<Excess> {
        let now = Instant::now();
        if let Some(excess) = self.answered(now) {
            return Some(excess);
        }
        if let Some(pending) = &mut self.pending {
            return pending.consider(glance, now, &self.progress, || sweep::stop(self.policy, self.worker));
        }
        let is_due = glance.suspicion.is_some() && now >= self.not_before || now >= self.next_round;
        if !is_due {
            return None;
        }
        let parts = if now >= self.next_round { Parts::All } else { Parts::Suspected };
        if parts == Parts::All {
            self.next_round = now + ROUND;
        }
        if !self.has_thread {
            return self.inspect(glance.seen.clone(), watchdog, glance.suspicion == Some(Excess::Memory));
        }
        match self.request(glance.seen.clone(), parts, watchdog) {
            Ok(()) => {
                let suspicion = glance.suspicion.map(|limit| (limit, now));
                let read = self.progress.load(Ordering::Relaxed);
                self.pending = Some(Pending { since: now, suspicion, read, read_at: now, stopped: None });
                None
            }
            // The host has no room for another thread, which is no fault of this script. Nothing is held up while it stands still.
            Err(_) => self.inspect(glance.seen.clone(), watchdog, true),
        }
    }

    /// Takes the thread's answer, if there is one.
    fn answered(&mut self, now: Instant) -> Option<Excess> {
        let thread = self.thread.as_ref()?;
        let Answer { finding, took } = thread.answers.try_recv().ok()?;
        let _ = rustix::io::read(&thread.bell, &mut [0_u8; 8]);
        let pending = self.pending.take()?;
        if pending.stopped.is_some() && finding.excess.is_none() {
            sweep::resume(self.policy, self.worker);
        }
        self.not_before = match pending.suspicion {
            // It was not about that.
            Some((_, suspected)) if suspected > pending.since => now,
            suspicion => now + pause(suspicion.map(|(limit, _)| limit), finding, took),
        };
        finding.excess
    }

    /// Inspects the tree and waits for that.
    fn inspect(&mut self, seen: Seen, watchdog: &Watchdog<'env>, stops: bool) -> Option<Excess> {
        if stops {
            sweep::stop(self.policy, self.worker);
        }
        let before = processor_time();
        let finding = watchdog.inspection(Arc::clone(&self.progress)).finding(seen, Parts::All);
        let suspicion = stops.then_some(Excess::Memory);
        self.not_before = Instant::now() + pause(suspicion, finding, processor_time().saturating_sub(before));
        if stops && finding.excess.is_none() {
            sweep::resume(self.policy, self.worker);
        }
        finding.excess
    }

    fn request(&mut self, seen: Seen, parts: Parts, watchdog: &Watchdog<'env>) -> io::Result<()> {
        let thread = match &self.thread {
            Some(thread) => thread,
            None => self.thread.insert(Thread::start(self.scope, watchdog.inspection(Arc::clone(&self.progress)))?),
        };
        thread.requests.send((seen, parts)).map_err(io::Error::other)
    }
}

impl Pending {
    fn consider(&mut self, glance: &Glance, now: Instant, progress: &AtomicU64, stop: impl FnOnce()) -> Option<Excess> {
        if let Some(limit) = glance.suspicion
            && self.suspicion.is_none_or(|(suspected, _)| suspected != limit && limit == Excess::Memory)
        {
            self.suspicion = Some((limit, now));
        }
        let limit = self.suspicion.map_or(Excess::Memory, |(limit, _)| limit);
        let read = progress.load(Ordering::Relaxed);
        if read != self.read {
            (self.read, self.read_at) = (read, now);
        }
        let Some(stopped) = &mut self.stopped else {
            let is_urgent = |(_, since)| now.duration_since(since) >= STOP_AFTER;
            if self.suspicion.is_some_and(is_urgent) || now.duration_since(self.since) >= STOP_SLOW_AFTER {
                stop();
                self.read_at = now;
                self.stopped = Some(Stopped { resident: None });
            }
            return None;
        };
        // A process that is told to go on by a timer of its own, or by another that was late, is told again.
        stop();
        let is_over = stopped.growth(&glance.resident) > GROWTH
            || now.duration_since(self.read_at) > STALL
            || now.duration_since(self.since) > LONGEST;
        is_over.then_some(limit)
    }
}

fn pause(suspicion: Option<Excess>, finding: Finding, took: Duration) -> Duration {
    let left = match suspicion {
        Some(Excess::Memory) => Duration::from_millis(finding.slack / TAKEN_IN_A_MILLISECOND),
        _ => Duration::ZERO,
    };
    left.max(took * 2).min(LONGEST_PAUSE)
}

impl<'scope> Thread<'scope> {
    fn start(scope: &'scope Scope<'scope, '_>, mut inspection: Inspection<'scope>) -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let ring = bell.try_clone()?;
        let (requests, received) = channel();
        let (answer, answers) = channel();
        let inspect = move || {
            while let Ok((seen, parts)) = received.recv() {
                let before = processor_time();
                let finding = inspection.finding(seen, parts);
                let took = processor_time().saturating_sub(before);
                if answer.send(Answer { finding, took }).is_err()
                    || rustix::io::write(&ring, &1_u64.to_ne_bytes()).is_err()
                {
                    break;
                }
            }
            drop(inspection);
            // The C library keeps the stack for the next thread, and the next worker has a copy of it.
            crate::sys::wipe_stack();
        };
        let handle = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, inspect)?;
        Ok(Self { handle, requests, answers, bell })
    }
}

/// Processor time of this thread: a busy machine must not make inspections rarer.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    fn glance(suspicion: Option<Excess>, resident: u64) -> Glance {
        Glance { excess: None, suspicion, resident: [(process(2), resident)].into(), seen: Seen::default() }
    }

    fn pending(now: Instant) -> Pending {
        Pending { since: now, suspicion: Some((Excess::Memory, now)), read: 0, read_at: now, stopped: None }
    }

    #[test]
    fn a_tree_that_cannot_be_counted_at_once_stands_still_and_then_ends() {
        let (start, progress) = (Instant::now(), AtomicU64::new(0));
        let mut pending = pending(start);
        let mut stops = 0;
        let mut after = |milliseconds, resident, read| {
            progress.store(read, Ordering::Relaxed);
            let now = start + Duration::from_millis(milliseconds);
            let excess = pending.consider(&glance(Some(Excess::Memory), resident), now, &progress, || stops += 1);
            (excess, stops)
        };
        assert_eq!(after(10, 1 << 30, 1), (None, 0));
        assert_eq!(after(20, 1 << 30, 1), (None, 1));
        assert_eq!(after(500, 1 << 30, 1), (None, 2), "it is stopped again at each glance");
        assert_eq!(after(900, 1 << 30, 2), (None, 3));
        assert_eq!(after(1800, 1 << 30, 2), (None, 4), "what goes on is waited for");
        assert_eq!(after(1901, 1 << 30, 2), (Some(Excess::Memory), 5));
    }

    #[test]
    fn what_grows_while_it_stands_still_is_over_its_limit() {
        let (start, progress) = (Instant::now(), AtomicU64::new(0));
        let mut pending = pending(start);
        let mut after = |milliseconds, resident| {
            let now = start + Duration::from_millis(milliseconds);
            pending.consider(&glance(Some(Excess::Memory), resident), now, &progress, || ())
        };
        assert_eq!(after(20, 600 << 20), None);
        assert_eq!(after(30, 620 << 20), None);
        assert_eq!(after(40, 684 << 20), None);
        assert_eq!(after(50, 685 << 20), Some(Excess::Memory));
    }

    #[test]
    fn what_was_about_to_be_forked_does_not_grow() {
        let mut stopped = Stopped { resident: None };
        assert_eq!(stopped.growth(&[(process(2), 70 << 20)].into()), 0);
        let forked = [(process(2), 71 << 20), (process(3), 70 << 20), (process(4), 70 << 20)];
        assert_eq!(stopped.growth(&forked.into()), 1 << 20);
    }

    #[test]
    fn files_and_locks_are_counted_in_their_time() {
        let (start, progress) = (Instant::now(), AtomicU64::new(0));
        let mut pending = Pending { suspicion: None, ..pending(start) };
        let mut is_stopped_after = |milliseconds, suspicion| {
            let mut stopped = false;
            let now = start + Duration::from_millis(milliseconds);
            assert_eq!(pending.consider(&glance(suspicion, 0), now, &progress, || stopped = true), None);
            stopped
        };
        assert!(!is_stopped_after(100, None));
        assert!(!is_stopped_after(120, Some(Excess::Scratch)));
        assert!(!is_stopped_after(139, Some(Excess::Scratch)));
        assert!(is_stopped_after(140, Some(Excess::Scratch)), "files may grow meanwhile");
    }
}

//! Inspections of a tree, made beside its monitor: a script can hold up whoever reads what its processes have in memory, but
//! not the monitor, which goes on with its glances, its socket and its clock meanwhile.
//!
//! A tree that may be over a limit runs for [`STOP_AFTER`] until it is counted exactly, and then stands still until it has
//! been. One that grows or runs although it stands still, or that cannot be counted in time, is over its limit. What was counted
//! holds until the tree can have used up what was left then, and it is counted again before that.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use crate::sandbox::usage::Excess;
use crate::sandbox::watchdog::{self, Activity, Finding, Glance, Inspection, Parts, Seen, Watchdog, patience};
use crate::sandbox::{Policy, sweep};
use crate::sys;

/// How long a tree runs on that may hold more than it may: at 2 GB of memory a second and core, this is 40 MB of each core.
const STOP_AFTER: Duration = Duration::from_millis(20);

/// How long it runs on while record locks are counted that nobody suspects.
const STOP_SLOW_AFTER: Duration = Duration::from_millis(250);

/// Part of its limit that a tree may still get after it was told to stop, because the kernel is giving it: a read(2) of a large file
/// does not end before it has filled its buffer.
const GROWTH: u64 = 2;

/// Processor time that processes may still take after they were told to stop, in all: as much as the calls take that they are
/// in, and no more, because a script can have them go on by a timer or by each other (SIGCONT in signal(7)).
const RUNNING: Duration = Duration::from_millis(250);

/// Factor by which all of an inspection may take longer than its slowest part. Of the largest tree that is a fraction of
/// a second.
const PARTS: u32 = 10;

/// A monitor that comes later than this to its next glance did not run: the host was busy, or everything was frozen
/// (docker-pause(1)). What was to be done meanwhile has as much more time.
const LATE: Duration = Duration::from_millis(100);

/// Number of times that a tree goes on that is over its limit only if something was counted twice, or could not be given back.
const RETRIES: u32 = 2;

/// Pause between two inspections: twice as long as one takes, or as long as it takes at least to use up what is left, but no
/// longer than this.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that a tree can take in a millisecond, on a few processors.
const TAKEN_IN_A_MILLISECOND: u64 = 4 << 20;

/// How often a tree is inspected for what no glance shows, record locks, and how often while it has none: listing them holds up
/// whoever locks files on this host.
const ROUND: Duration = Duration::from_millis(100);
const LONGEST_ROUND: Duration = Duration::from_millis(400);

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
    /// Time from one round to the next.
    round: Duration,
    /// What a glance may show until an inspection must be made at once, bytes: where there is no thread.
    trusted: u64,
    /// Last finding about the tree's memory.
    trust: Option<Trust>,
    /// Bytes of record locks when they were counted last.
    locks: u64,
    /// Number of times that the tree could not be counted well.
    retries: u32,
}

/// A finding, and what may have come since.
struct Trust {
    /// Bytes that were left.
    slack: u64,
    /// Bytes that the tree may have come to hold since the inspection began.
    grown: u64,
}

/// What a tree may do while it is counted.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// How long it may take to read one thing.
    patience: Duration,
    /// Bytes that it may grow by although it stands still.
    growth: u64,
}

impl Limits {
    fn of(policy: &Policy) -> Self {
        Self { patience: patience(policy), growth: policy.memory_bytes / GROWTH }
    }
}

/// Whether a tree is to be inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    None,
    /// Nothing is wrong, and nobody is held up for it.
    Soon,
    /// It may be over this limit.
    Now(Excess),
}

impl Trust {
    /// `open`: bytes that may have come without a trace. `is_time`: whether the last inspection is some time ago.
    fn need(&self, open: u64, is_time: bool) -> Need {
        if self.grown > self.slack || is_time && self.grown.saturating_add(open) > self.slack {
            Need::Now(Excess::Memory)
        } else if is_time && self.grown > self.slack / 2 {
            Need::Soon
        } else {
            Need::None
        }
    }
}

struct Thread<'scope> {
    /// Its number, once it runs.
    number: Arc<AtomicI32>,
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
    /// When it was looked at last.
    considered: Instant,
    /// What the glance has shown that it was asked for after, bytes.
    bound: u64,
    parts: Parts,
    /// Bytes that the tree may have come to hold since it was asked for.
    grown: u64,
    /// Limit that the tree may be over, and since when that is known.
    suspicion: Option<(Excess, Instant)>,
    /// What the thread had read when that was looked at last, and when that changed.
    read: u64,
    read_at: Instant,
    stopped: Option<Stopped>,
}

/// A tree that stands still.
#[derive(Default)]
struct Stopped {
    /// Figures of each process at the first glance that saw it, and its processor time at the last.
    processes: HashMap<Pid, Still>,
    /// How many there were at the first glance.
    at_first: usize,
    /// Bytes that they may have grown by.
    growth: u64,
}

struct Still {
    resident: u64,
    ran: Duration,
    runs: Duration,
}

impl Stopped {
    /// Whether the tree has grown although it stands still, or run. Each process may have been about to fork another, which has
    /// as much as it; those that are more were forked by one that runs.
    fn has_moved(&mut self, resident: &HashMap<Pid, u64>, cpu_time: impl Fn(Pid) -> Duration) -> bool {
        if self.at_first == 0 {
            self.at_first = resident.len();
        }
        let mut grown = 0_u64;
        for (number, resident) in resident {
            let time = cpu_time(*number);
            let were_about_to_be_forked = self.processes.len() < 2 * self.at_first;
            let still = self.processes.entry(*number).or_insert(if were_about_to_be_forked {
                Still { resident: *resident, ran: time, runs: time }
            } else {
                Still { resident: 0, ran: Duration::ZERO, runs: time }
            });
            still.runs = still.runs.max(time);
            grown = grown.saturating_add(resident.saturating_sub(still.resident));
        }
        let run: Duration = self.processes.values().map(|still| still.runs.saturating_sub(still.ran)).sum();
        grown > self.growth || run > RUNNING
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
            round: ROUND,
            trusted: 0,
            trust: None,
            locks: 0,
            retries: 0,
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
    pub fn consider(&mut self, glance: &Glance, watchdog: &mut Watchdog<'env>) -> Option<Excess> {
        let now = Instant::now();
        if let Some(excess) = self.answered(now, watchdog) {
            return Some(excess);
        }
        if let Some(trust) = &mut self.trust {
            trust.grown = trust.grown.saturating_add(glance.grown);
        }
        let need = self.need(glance, now);
        if let Some(pending) = &mut self.pending {
            let read = self.progress.load(Ordering::Relaxed);
            // Whoever waits for a processor is not held up by a script.
            let waits = self.thread.as_ref().is_some_and(Thread::waits_for_processor);
            let stop = || sweep::stop(self.policy, self.worker);
            return pending.consider(
                glance,
                need,
                now,
                if waits { Progress::Starved } else { Progress::Read(read) },
                Limits::of(self.policy),
                stop,
            );
        }
        let is_round = now >= self.next_round && watchdog.may_have_locks();
        if need == Need::None && !is_round {
            return None;
        }
        let parts = match (need, is_round) {
            (_, false) => Parts::Suspected,
            // What is known of its memory holds.
            (Need::None, true) if glance.suspicion == Some(Excess::Memory) => Parts::Locks,
            (_, true) => Parts::All,
        };
        if is_round {
            self.next_round = now + self.round;
        }
        if !self.has_thread {
            return self.inspect(glance, watchdog, glance.suspicion == Some(Excess::Memory));
        }
        match self.request(glance.seen.clone(), parts, watchdog) {
            Ok(()) => {
                let suspicion = need.limit().map(|limit| (limit, now));
                let read = self.progress.load(Ordering::Relaxed);
                let pending = Pending { parts, bound: glance.bound, ..Pending::new(now, suspicion, read) };
                self.pending = Some(pending);
                None
            }
            // The host has no room for another thread, which is no fault of this script. Nothing is held up while it stands still.
            Err(_) => self.inspect(glance, watchdog, true),
        }
    }

    /// Takes the thread's answer, if there is one.
    fn answered(&mut self, now: Instant, watchdog: &mut Watchdog<'env>) -> Option<Excess> {
        let thread = self.thread.as_ref()?;
        let Answer { finding, took } = thread.answers.try_recv().ok()?;
        let _ = rustix::io::read(&thread.bell, &mut [0_u8; 8]);
        let pending = self.pending.take()?;
        let excess = self.conclude(&finding, pending.stopped.is_some(), watchdog);
        if pending.stopped.is_some() && excess.is_none() {
            sweep::resume(self.policy, self.worker);
        }
        let locked = finding.locks.saturating_sub(self.locks);
        self.locks = finding.locks;
        match (&mut self.trust, pending.parts) {
            (Some(trust), Parts::Locks) => trust.grown = trust.grown.saturating_add(locked),
            _ => self.trust = finding.excess.is_none().then_some(Trust { slack: finding.slack, grown: pending.grown }),
        }
        self.trusted = pending.bound.saturating_add(finding.slack);
        self.not_before = match pending.suspicion {
            // It was not about that.
            Some((_, suspected)) if suspected > pending.since => now,
            suspicion => now + pause(suspicion.map(|(limit, _)| limit), finding.slack, took),
        };
        excess
    }

    /// Whether what is known of a tree still holds.
    fn need(&self, glance: &Glance, now: Instant) -> Need {
        // Files are not in what is known of memory.
        let is_time = now >= self.not_before;
        if glance.is_full && is_time {
            return Need::Now(Excess::Scratch);
        }
        match (glance.suspicion, &self.trust) {
            (Some(Excess::Memory), Some(trust)) => trust.need(glance.open, is_time),
            (Some(Excess::Memory), None) if is_time || glance.bound > self.trusted => Need::Now(Excess::Memory),
            _ => Need::None,
        }
    }

    /// Inspects the tree and waits for that.
    fn inspect(&mut self, glance: &Glance, watchdog: &mut Watchdog<'env>, stops: bool) -> Option<Excess> {
        if stops {
            sweep::stop(self.policy, self.worker);
        }
        let before = processor_time();
        let finding = watchdog.inspection(Arc::clone(&self.progress)).finding(glance.seen.clone(), Parts::All);
        let suspicion = stops.then_some(Excess::Memory);
        let excess = self.conclude(&finding, stops, watchdog);
        self.trusted = glance.bound.saturating_add(finding.slack);
        self.not_before = Instant::now() + pause(suspicion, finding.slack, processor_time().saturating_sub(before));
        if stops && excess.is_none() {
            sweep::resume(self.policy, self.worker);
        }
        excess
    }

    /// The limit that a tree is over. What stands still in the middle of making a process is counted twice, so it goes on for a
    /// little before that is believed.
    fn conclude(&mut self, finding: &Finding, was_stopped: bool, watchdog: &mut Watchdog<'env>) -> Option<Excess> {
        watchdog.settle(finding);
        self.round = if finding.locks > 0 { ROUND } else { (self.round * 2).min(LONGEST_ROUND) };
        self.retries = if was_stopped && finding.may_pass { self.retries + 1 } else { 0 };
        finding.excess.filter(|_| self.retries == 0 || self.retries > RETRIES)
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
    fn new(now: Instant, suspicion: Option<(Excess, Instant)>, read: u64) -> Self {
        Self {
            since: now,
            considered: now,
            bound: 0,
            parts: Parts::Suspected,
            grown: 0,
            suspicion,
            read,
            read_at: now,
            stopped: None,
        }
    }

    fn consider(
        &mut self,
        glance: &Glance,
        need: Need,
        now: Instant,
        progress: Progress,
        limits: Limits,
        stop: impl FnOnce(),
    ) -> Option<Excess> {
        self.pass_over(now, progress == Progress::Starved);
        self.grown = self.grown.saturating_add(glance.grown);
        if let Some(limit) = need.limit()
            && self.suspicion.is_none_or(|(suspected, _)| suspected != limit && limit == Excess::Memory)
        {
            self.suspicion = Some((limit, now));
        }
        let limit = self.suspicion.map_or(Excess::Memory, |(limit, _)| limit);
        if let Progress::Read(read) = progress
            && read != self.read
        {
            (self.read, self.read_at) = (read, now);
        }
        let Some(stopped) = &mut self.stopped else {
            let is_urgent = |(_, since)| now.duration_since(since) >= STOP_AFTER;
            if self.suspicion.is_some_and(is_urgent) || now.duration_since(self.since) >= STOP_SLOW_AFTER {
                stop();
                self.read_at = now;
                self.stopped = Some(Stopped { growth: limits.growth, ..Stopped::default() });
            }
            return None;
        };
        // A process that is told to go on by a timer of its own, or by another that was late, is told again.
        stop();
        let is_over = stopped.has_moved(&glance.resident, sys::cpu_time)
            || now.duration_since(self.read_at) > limits.patience
            || now.duration_since(self.since) > limits.patience * PARTS;
        is_over.then_some(limit)
    }

    /// Gives everybody the time that this process has missed, or in which the thread had no processor.
    fn pass_over(&mut self, now: Instant, is_starved: bool) {
        let passed = now.duration_since(self.considered);
        let missed = if is_starved { passed } else { passed.saturating_sub(LATE) };
        self.considered = now;
        self.since += missed;
        self.read_at += missed;
    }
}

fn pause(suspicion: Option<Excess>, slack: u64, took: Duration) -> Duration {
    let left = match suspicion {
        Some(Excess::Memory) => Duration::from_millis(slack / TAKEN_IN_A_MILLISECOND),
        _ => Duration::ZERO,
    };
    left.max(took * 2).min(LONGEST_PAUSE)
}

/// What the thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It has read so much.
    Read(u64),
    /// It has no processor.
    Starved,
}

impl Need {
    fn limit(self) -> Option<Excess> {
        match self {
            Self::Now(limit) => Some(limit),
            Self::Soon | Self::None => None,
        }
    }
}

impl<'scope> Thread<'scope> {
    /// Whether it runs, or would if it had a processor: it does not wait for anything that a script can hold.
    fn waits_for_processor(&self) -> bool {
        let number = self.number.load(Ordering::Relaxed);
        watchdog::activity_of_thread(number).is_ok_and(|activity| activity == Some(Activity::Runs))
    }

    fn start(scope: &'scope Scope<'scope, '_>, mut inspection: Inspection<'scope>) -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let ring = bell.try_clone()?;
        let (requests, received) = channel();
        let (answer, answers) = channel();
        let number = Arc::new(AtomicI32::new(0));
        let told = Arc::clone(&number);
        let inspect = move || {
            told.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Relaxed);
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
        Ok(Self { number, handle, requests, answers, bell })
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

    const LIMITS: Limits = Limits { patience: Duration::from_secs(1), growth: 64 << 20 };

    const MEMORY: Need = Need::Now(Excess::Memory);

    fn glance(resident: u64) -> Glance {
        Glance {
            excess: None,
            suspicion: None,
            is_full: false,
            grown: 0,
            open: 0,
            bound: 0,
            resident: [(process(i32::MAX), resident)].into(),
            seen: Seen::default(),
        }
    }

    fn pending(now: Instant) -> Pending {
        Pending::new(now, Some((Excess::Memory, now)), 0)
    }

    #[test]
    fn a_tree_that_cannot_be_counted_at_once_stands_still_and_then_ends() {
        let start = Instant::now();
        let mut pending = pending(start);
        let mut stops = 0;
        let (mut first_stop, mut ended) = (None, None);
        for after in (10_u64..5000).step_by(10) {
            // What goes on is waited for.
            let read = if after < 900 { 1 } else { 2 };
            let now = start + Duration::from_millis(after);
            let excess = pending.consider(&glance(0), MEMORY, now, Progress::Read(read), LIMITS, || stops += 1);
            first_stop = first_stop.or((stops > 0).then_some(after));
            if excess.is_some() {
                ended = Some((after, excess));
                break;
            }
        }
        assert_eq!((first_stop, ended), (Some(20), Some((1910, Some(Excess::Memory)))));
        assert_eq!(stops, 190, "it is stopped again at each glance");
    }

    #[test]
    fn a_monitor_that_did_not_run_takes_nothing_amiss() {
        let start = Instant::now();
        let mut pending = pending(start);
        let mut after = |milliseconds| {
            let now = start + Duration::from_millis(milliseconds);
            pending.consider(&glance(1 << 30), MEMORY, now, Progress::Read(1), LIMITS, || ())
        };
        assert_eq!((after(20), after(30)), (None, None));
        assert_eq!(after(60_000), None);
        assert_eq!((60_010..60_800).step_by(10).find_map(&mut after), None);
        assert_eq!((60_800..61_200).step_by(10).find_map(&mut after), Some(Excess::Memory));
    }

    #[test]
    fn a_thread_without_a_processor_is_waited_for() {
        let start = Instant::now();
        let mut pending = pending(start);
        let mut after = |milliseconds, progress| {
            let now = start + Duration::from_millis(milliseconds);
            pending.consider(&glance(0), MEMORY, now, progress, LIMITS, || ())
        };
        assert_eq!((10..20_000).step_by(10).find_map(|time| after(time, Progress::Starved)), None);
        assert_eq!((20_000..20_900).step_by(10).find_map(|time| after(time, Progress::Read(0))), None);
        assert_eq!((20_900..21_100).step_by(10).find_map(|time| after(time, Progress::Read(0))), Some(Excess::Memory));
    }

    #[test]
    fn what_was_counted_holds_until_as_much_may_have_come() {
        const MB: u64 = 1 << 20;
        let need = |grown, open, is_time| Trust { slack: 100 * MB, grown }.need(open, is_time);
        assert_eq!(need(50 * MB, 0, true), Need::None);
        assert_eq!((need(51 * MB, 0, true), need(51 * MB, 0, false)), (Need::Soon, Need::None));
        assert_eq!(need(101 * MB, 0, false), MEMORY);
        assert_eq!((need(0, 101 * MB, true), need(0, 101 * MB, false)), (MEMORY, Need::None));
    }

    #[test]
    fn what_grows_while_it_stands_still_is_over_its_limit() {
        let start = Instant::now();
        let mut pending = pending(start);
        let mut after = |milliseconds, resident| {
            let now = start + Duration::from_millis(milliseconds);
            pending.consider(&glance(resident), MEMORY, now, Progress::Read(0), LIMITS, || ())
        };
        assert_eq!(after(20, 600 << 20), None);
        assert_eq!(after(30, 620 << 20), None);
        assert_eq!(after(40, 684 << 20), None);
        assert_eq!(after(50, 685 << 20), Some(Excess::Memory));
    }

    /// A process, with its resident megabytes and the milliseconds that it has run.
    type Shown = (i32, u64, u64);

    /// Whether a stopped tree has moved, at glances that show these.
    fn have_moved<const N: usize>(glances: &[[Shown; N]]) -> Vec<bool> {
        let mut stopped = Stopped { growth: LIMITS.growth, ..Stopped::default() };
        let moved = glances.iter().map(|processes| {
            let resident = processes.iter().map(|(number, megabytes, _)| (process(*number), megabytes << 20)).collect();
            let ran = |asked| {
                let time = processes.iter().find_map(|(number, _, ran)| (process(*number) == asked).then_some(*ran));
                Duration::from_millis(time.unwrap_or(0))
            };
            stopped.has_moved(&resident, ran)
        });
        moved.collect()
    }

    #[test]
    fn what_was_about_to_be_forked_does_not_grow() {
        assert_eq!(have_moved(&[[(2, 70, 0)], [(3, 70, 0)]]), [false, false]);
        assert_eq!(have_moved(&[[(2, 70, 0)], [(3, 70, 0)], [(4, 70, 0)]]), [false, false, true], "by one that runs");
    }

    #[test]
    fn what_runs_while_it_stands_still_is_over_its_limit() {
        assert_eq!(have_moved(&[[(2, 1, 5000)], [(2, 1, 5250)], [(2, 1, 5251)]]), [false, false, true]);
        let relay = [[(2, 1, 0)], [(3, 1, 0)], [(3, 1, 100)], [(4, 1, 100)], [(5, 1, 100)]];
        assert_eq!(have_moved(&relay), [false, false, false, false, true], "those that take turns run together");
    }

    #[test]
    fn files_and_locks_are_counted_in_their_time() {
        let start = Instant::now();
        let mut pending = Pending { suspicion: None, ..pending(start) };
        let mut is_stopped_after = |milliseconds, need| {
            let mut stopped = false;
            let now = start + Duration::from_millis(milliseconds);
            assert_eq!(pending.consider(&glance(0), need, now, Progress::Read(0), LIMITS, || stopped = true), None);
            stopped
        };
        assert!(!is_stopped_after(100, Need::None));
        assert!(!is_stopped_after(120, Need::Now(Excess::Scratch)));
        assert!(!is_stopped_after(139, Need::Now(Excess::Scratch)));
        assert!(is_stopped_after(140, Need::Now(Excess::Scratch)), "files may grow meanwhile");
    }
}

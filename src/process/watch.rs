//! A worker's life, as its monitor sees it: from the time that it is locked in until nothing is left of it.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;

use super::inspector::Inspector;
use super::monitor::{Monitor, tell};
use crate::ipc::channel;
use crate::ipc::{END, MonitorReport, START};
use crate::sandbox::cgroup::Joined;
use crate::sandbox::usage::{Ended, Excess, Used};
use crate::sandbox::watchdog::Watchdog;
use crate::sandbox::{Mechanism, Policy, Scratch, sweep};
use crate::sys::{self, Exit, Rusage};

/// How often the tree is glanced at while a job runs. Memory can grow by some 2 GB a second and core; a glance at one
/// process takes some 50 microseconds.
const GLANCE_INTERVAL: Duration = Duration::from_millis(10);

/// How many children are collected at a time.
const MAX_REAPED: usize = 256;

/// A worker and what came of it.
pub struct Watch<'a> {
    monitor: &'a Monitor<'a>,
    scratch: &'a Scratch,
    worker: Pid,
    /// What the worker had mapped when its job began, bytes.
    mapped_at_first: u64,
    /// How often the cgroup had had too little memory when the job began.
    shortages_before: u64,
    /// What the worker had used when its job began.
    before: Duration,
    /// What those have used that have ended.
    used: Rusage,
}

impl<'a> Watch<'a> {
    /// For a worker that is locked in and waits for its job: from now on what is used is the job's.
    pub fn new(monitor: &'a Monitor<'a>, scratch: &'a Scratch, worker: Pid) -> Self {
        let policy = monitor.policy();
        let mapped_at_first =
            if policy.has(Mechanism::Seal) { Watchdog::new(policy, scratch, worker, 0).mapped() } else { 0 };
        let shortages_before = monitor.group.as_ref().and_then(|group| group.shortages().ok()).unwrap_or(0);
        let before = sys::cpu_time(worker);
        Self { monitor, scratch, worker, mapped_at_first, shortages_before, before, used: Rusage::default() }
    }

    /// Watches the worker, and then ends all that came of it. Says whether nothing is left, and whether the scratch space can
    /// be used again.
    pub fn see_off(mut self) -> (MonitorReport, bool) {
        let ended = std::thread::scope(|scope| {
            let mut inspector = Inspector::new(scope, self.policy(), self.worker, self.monitor.proc.hides_monitor);
            self.until_the_end(&mut inspector);
            let ended = sweep::end_processes(self.policy(), self.worker, self.monitor.group.as_ref());
            // What held up an inspection has ended, and with it the inspection.
            inspector.end();
            ended
        });
        let swept = ended.and_then(|used| {
            self.used.add(used);
            let is_untouched = self.scratch.is_untouched();
            if !is_untouched {
                sweep::remove_remains(self.policy(), self.scratch)?;
            }
            Ok(is_untouched)
        });
        match swept {
            Ok(is_untouched) => (MonitorReport::Gone(self.since_ready(self.used)), is_untouched),
            Err(error) => (MonitorReport::Remains { reason: error.to_string() }, false),
        }
    }

    fn policy(&self) -> &'a Policy {
        self.monitor.policy()
    }

    fn watchdog(&self) -> Watchdog<'a> {
        Watchdog::new(self.policy(), self.scratch, self.worker, self.mapped_at_first)
    }

    /// Waits for the worker's end, or a reason to end it. Nothing that a script does keeps this from its next turn.
    fn until_the_end(&mut self, inspector: &mut Inspector<'_, 'a>) {
        let mut watchdog = self.watchdog();
        let mut next_glance: Option<Instant> = None;
        loop {
            if self.wait(next_glance, inspector).is_err() {
                return;
            }
            match self.called() {
                Some(Call::Start) if self.policy().has(Mechanism::Watchdog) => next_glance = Some(Instant::now()),
                Some(Call::Start) | None => {}
                Some(Call::End) => return self.tell_usage(&mut watchdog),
                // There is no more use for this worker.
                Some(Call::Other) => return,
            }
            match self.reap() {
                Ok(None) => {}
                Ok(Some(report)) => return tell(self.monitor.control, &report),
                Err(_) => return,
            }
            if next_glance.is_some() {
                next_glance = Some(Instant::now() + GLANCE_INTERVAL);
                if let Some(excess) = look(&mut watchdog, inspector) {
                    return tell(self.monitor.control, &MonitorReport::Exceeded(excess));
                }
            }
        }
    }

    /// Until something has ended or been said, or it is time for a glance.
    fn wait(&self, next_glance: Option<Instant>, inspector: &Inspector<'_, '_>) -> rustix::io::Result<()> {
        let Monitor { control, exits, .. } = self.monitor;
        let timeout = next_glance.map(|time| timespec(time.saturating_duration_since(Instant::now())));
        let mut waiting = vec![PollFd::new(exits, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
        let bell = inspector.bell();
        waiting.extend(bell.as_ref().map(|bell| PollFd::new(bell, PollFlags::IN)));
        match poll(&mut waiting, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// What the service says, if it says something.
    fn called(&self) -> Option<Call> {
        let control = self.monitor.control;
        let mut call = [PollFd::new(control, PollFlags::IN)];
        if poll(&mut call, Some(&timespec(Duration::ZERO))) == Ok(0) {
            return None;
        }
        Some(match channel::receive(control) {
            Ok(Some(message)) if message.bytes == START => Call::Start,
            Ok(Some(message)) if message.bytes == END => Call::End,
            Ok(_) | Err(_) => Call::Other,
        })
    }

    /// Collects whatever has ended; the worker's end is worth a report.
    fn reap(&mut self) -> io::Result<Option<MonitorReport>> {
        // What it says is not of interest. However often a script makes it readable again, it is read once.
        let _ = rustix::io::read(&self.monitor.exits, &mut [0; 512][..]);
        // However many there are, what else is to be done has its turn.
        for _ in 0..MAX_REAPED {
            let Some((pid, exit, usage)) = sys::wait(false)? else { break };
            self.used.add(usage);
            if pid == self.worker {
                let exit = match exit {
                    Exit::Status(status) => Ended::Status(status),
                    Exit::Signal(signal) => Ended::Signal(signal),
                };
                let report = MonitorReport::Ended { exit, cpu_us: microseconds(usage.cpu) };
                let is_out_of_memory = exit == Ended::Signal(libc::SIGKILL) && self.was_out_of_memory();
                return Ok(Some(if is_out_of_memory { MonitorReport::Exceeded(Excess::Memory) } else { report }));
            }
        }
        Ok(None)
    }

    /// Whether the kernel has ended the processes of the cgroup because its limit left no memory for them.
    fn was_out_of_memory(&self) -> bool {
        let shortages = self.monitor.group.as_ref().map(Joined::shortages);
        matches!(shortages, Some(Ok(shortages)) if shortages > self.shortages_before)
    }

    /// Tells what those have used that have ended, and those that have not. Of a worker that is about to end that is known
    /// when it has.
    fn tell_usage(&self, watchdog: &mut Watchdog<'_>) {
        if let Some(running) = watchdog.used() {
            let mut used = self.used;
            used.add(running);
            tell(self.monitor.control, &MonitorReport::Ending(self.since_ready(used)));
        }
    }

    fn since_ready(&self, used: Rusage) -> Used {
        Used { cpu_us: microseconds(used.cpu.saturating_sub(self.before)), max_rss_bytes: used.max_rss_bytes }
    }
}

/// What the service says.
enum Call {
    Start,
    End,
    Other,
}

fn look<'env>(watchdog: &mut Watchdog<'env>, inspector: &mut Inspector<'_, 'env>) -> Option<Excess> {
    let glance = watchdog.glance();
    glance.excess.or_else(|| inspector.consider(&glance, watchdog))
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

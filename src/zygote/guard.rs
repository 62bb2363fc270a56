//! The guard of one worker. It reaps what the script leaves behind, watches the memory, processes and files of the whole
//! tree, says how the worker ended, and sees to it that nothing stays. A script cannot signal, trace or read it.
//!
//! Where there is a PID namespace, the guard is its init process: when it exits, for whatever reason, the kernel kills
//! everything in the namespace, however well it hid.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, fchdir};
use rustix::time::{ClockId, clock_gettime};

use super::descriptors::{Standard, close_others};
use super::python::Python;
use super::{Blueprint, WorkerEnds, worker};
use crate::channel;
use crate::protocol::{Ended, GuardReport, START};
use crate::sandbox::watchdog::Watchdog;
use crate::sandbox::{Mechanism, Place, SandboxError, Scratch, keep_for_guard, open_proc, sweep};
use crate::sys::{self, Exit, Rusage, Side};

/// How often the tree is looked at while a job runs. Memory can grow by some 2 GB a second and core, so this bounds by
/// how much the limit can be passed; a look costs some 50 microseconds.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// How many children are collected at a time.
const MAX_REAPED: usize = 256;

/// Where a look takes longer, because the tree is large and near its limit, the next one comes after this many times as
/// long, so that a guard never takes more than a third of a processor.
const WATCH_SHARE: u32 = 2;

/// Runs in a fresh fork of the zygote, in namespaces of its own. Without Python, it guards a probe.
pub fn run(blueprint: &Blueprint, python: Option<&Python>, ends: WorkerEnds) -> ! {
    let WorkerEnds { channel, stdout, stderr, control } = ends;
    let tell = |report: GuardReport| {
        // If the service is gone, there is nobody to tell.
        let _ = channel::send_json(&control, &report, &[]);
    };
    let scratch = match Scratch::make(&blueprint.policy) {
        Ok(scratch) => scratch,
        Err(error) => {
            tell(GuardReport::Failed(vec![error]));
            sys::exit_now(0)
        }
    };
    match Guard::start(blueprint, python, &scratch, &control, channel, stdout, stderr) {
        Ok(mut guard) => {
            tell(GuardReport::Ready { worker: guard.worker.as_raw_nonzero().get() });
            guard.watch(&tell);
            tell(guard.sweep());
        }
        Err(errors) => {
            let _ = sweep::remove_remains(&blueprint.policy, &scratch);
            tell(GuardReport::Failed(errors));
        }
    }
    // Closing a socket in which something is unread resets the connection, and what was said last would be lost.
    while channel::receive(&control).is_ok_and(|message| message.is_some()) {}
    sys::exit_now(0)
}

struct Guard<'a> {
    blueprint: &'a Blueprint,
    scratch: &'a Scratch,
    control: &'a OwnedFd,
    worker: Pid,
    /// Readable when a child has ended.
    exits: OwnedFd,
    /// What the worker had mapped when its job began.
    mapped_at_first: u64,
    /// What the worker used, once it has ended.
    used: Option<Rusage>,
}

impl<'a> Guard<'a> {
    /// Makes the worker and waits until it is locked in.
    fn start(
        blueprint: &'a Blueprint,
        python: Option<&Python>,
        scratch: &'a Scratch,
        control: &'a OwnedFd,
        channel: OwnedFd,
        stdout: OwnedFd,
        stderr: OwnedFd,
    ) -> Result<Self, Vec<SandboxError>> {
        let alone = |error| vec![error];
        let policy = &blueprint.policy;
        let proc = proc(policy.has(Mechanism::Namespaces)).map_err(alone)?;
        let stdin = memfd_create("stdin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .map_err(SandboxError::fault("memfd_create"))
            .map_err(alone)?;
        let (ready, signal_ready) =
            pipe_with(PipeFlags::CLOEXEC).map_err(SandboxError::fault("pipe")).map_err(alone)?;
        // The worker inherits the signal handlers that Python has set in the zygote, and the usual way of waiting.
        sys::wait_for_child_exits();
        let exits = sys::child_exits().map_err(SandboxError::fault("signalfd")).map_err(alone)?;
        let place = Place { runtime: blueprint.runtime.clone(), scratch: scratch.path().to_owned() };
        // SAFETY: a fork of a process with one thread has one thread.
        let side = unsafe { sys::fork() }.map_err(SandboxError::fault("fork")).map_err(alone)?;
        let Side::Parent(worker) = side else {
            worker::run(blueprint, python, &place, Standard { stdin, stdout, stderr }, channel, signal_ready)
        };
        sys::reset_signals();
        // By its path it would be the one that the worker has, which hides something, the guard itself among it.
        fchdir(&proc).map_err(SandboxError::at(Mechanism::Watchdog, "enter /proc")).map_err(alone)?;
        drop((proc, stdin, stdout, stderr, channel, signal_ready));
        // SAFETY: all other descriptors were the zygote's, which this process has nothing to do with.
        unsafe {
            let mut kept = vec![control.as_fd(), ready.as_fd(), exits.as_fd()];
            kept.extend(scratch.descriptor());
            close_others(&kept)
        }
        .map_err(alone)?;
        let guard = Self { blueprint, scratch, control, worker, exits, mapped_at_first: 0, used: None };
        guard.settle(ready, python.is_none()).inspect_err(|_| {
            let _ = sweep::end_processes(policy, worker);
        })?;
        Ok(guard)
    }

    /// Gives up what watching does not take, and waits for the worker.
    fn settle(&self, ready: OwnedFd, is_probe: bool) -> Result<(), Vec<SandboxError>> {
        let policy = &self.blueprint.policy;
        if policy.has(Mechanism::Namespaces) && policy.has(Mechanism::Capabilities) {
            keep_for_guard().map_err(|error| vec![error])?;
        }
        wait_until_ready(ready)?;
        if policy.has(Mechanism::Sweep) {
            sweep::adopt_orphans(policy).map_err(|error| vec![error])?;
        }
        if is_probe && policy.has(Mechanism::Watchdog) && !self.watchdog(&|| false).sees_worker() {
            return Err(vec![SandboxError::at(Mechanism::Watchdog, "probe")("the worker is not seen in /proc")]);
        }
        Ok(())
    }

    fn watchdog<'b>(&'b self, interrupted: &'b dyn Fn() -> bool) -> Watchdog<'b> {
        Watchdog::new(&self.blueprint.policy, self.scratch, self.worker, interrupted)
            .mapped_at_first(self.mapped_at_first)
    }

    /// Whether the service has said something.
    fn is_called(&self) -> bool {
        let mut call = [PollFd::new(self.control, PollFlags::IN)];
        poll(&mut call, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(0)
    }

    /// Waits for the worker's end, or a reason to end it.
    fn watch(&mut self, tell: &impl Fn(GuardReport)) {
        let mut started = false;
        let mut pause = WATCH_INTERVAL;
        loop {
            let watches = started && self.blueprint.policy.has(Mechanism::Watchdog);
            let interval = watches.then(|| timespec(pause));
            let mut waiting = [PollFd::new(&self.exits, PollFlags::IN), PollFd::new(self.control, PollFlags::IN)];
            match poll(&mut waiting, interval.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) => {}
            }
            if !waiting[1].revents().is_empty() {
                match channel::receive(self.control) {
                    Ok(Some(message)) if message.bytes == START => {
                        started = true;
                        self.scratch.begin();
                        self.mapped_at_first = self.watchdog(&|| false).mapped();
                    }
                    // Anything else means that there is no more use for this worker.
                    Ok(_) | Err(_) => return,
                }
            }
            match self.reap() {
                Ok(None) => {}
                Ok(Some(report)) => return tell(report),
                Err(_) => return,
            }
            if watches {
                let before = processor_time();
                if let Some(excess) = self.watchdog(&|| self.is_called()).exceeded() {
                    return tell(GuardReport::Exceeded(excess));
                }
                pause = WATCH_INTERVAL.max(processor_time().saturating_sub(before) * WATCH_SHARE);
            }
        }
    }

    /// Collects whatever has ended; the worker's end is worth a report.
    fn reap(&mut self) -> io::Result<Option<GuardReport>> {
        // What it says is not of interest, only that it is empty again.
        while rustix::io::read(&self.exits, &mut [0; 512][..]).is_ok_and(|bytes| bytes > 0) {}
        // However many there are, what else is to be done has its turn.
        for _ in 0..MAX_REAPED {
            let Some((pid, exit, usage)) = sys::wait(false)? else { break };
            if pid == self.worker {
                self.used = Some(usage);
                let exit = match exit {
                    Exit::Status(status) => Ended::Status(status),
                    Exit::Signal(signal) => Ended::Signal(signal),
                };
                return Ok(Some(GuardReport::Ended { exit, cpu_us: microseconds(usage.cpu) }));
            }
        }
        Ok(None)
    }

    /// Ends everything, and says whether nothing is left.
    fn sweep(&mut self) -> GuardReport {
        let policy = &self.blueprint.policy;
        let swept = sweep::end_processes(policy, self.worker).and_then(|ended| {
            self.used = self.used.or(ended.map(|(_, usage)| usage));
            sweep::remove_remains(policy, self.scratch)
        });
        let used = self.used.unwrap_or_default();
        match swept {
            Ok(()) => GuardReport::Gone { cpu_us: microseconds(used.cpu), max_rss_bytes: used.max_rss_bytes },
            Err(error) => GuardReport::Remains { reason: error.to_string() },
        }
    }
}

/// Where the worker is looked for.
fn proc(is_own: bool) -> Result<OwnedFd, SandboxError> {
    if is_own {
        return open_proc();
    }
    open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(SandboxError::at(Mechanism::Watchdog, "open /proc"))
}

/// The worker says `ok`, or the JSON of what failed; if it dies before, it says nothing.
fn wait_until_ready(ready: OwnedFd) -> Result<(), Vec<SandboxError>> {
    let mut said = Vec::new();
    let read = std::fs::File::from(ready).read_to_end(&mut said);
    read.map_err(SandboxError::fault("read the worker's state")).map_err(|error| vec![error])?;
    if said == worker::READY {
        return Ok(());
    }
    Err(serde_json::from_slice(&said)
        .unwrap_or_else(|_| vec![SandboxError::fault("lock in the worker")("it ended before it was locked in")]))
}

/// What this process has used: a busy machine must not make looks rarer.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0))
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

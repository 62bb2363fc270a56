//! A guard makes one worker after the other. It reaps what a script leaves behind, watches the memory, processes and files
//! of the whole tree, says how the worker ended, and sees to it that nothing stays. A script cannot signal, trace or read it.
//!
//! Where there is a PID namespace, the guard is its init process: it can kill everything in it at once, however well it hid,
//! and when it exits, for whatever reason, the kernel does.

use std::cell::Cell;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, fchdir};
use rustix::time::{ClockId, clock_gettime};

use super::descriptors::{Standard, close_others};
use super::python::Python;
use super::{Blueprint, WorkerEnds, worker};
use crate::channel::{self, Message};
use crate::protocol::{END, Ended, Excess, GuardReport, MAKE, START, Used};
use crate::sandbox::integrity::Integrity;
use crate::sandbox::watchdog::Watchdog;
use crate::sandbox::{
    Mechanism, Place, Policy, Rules, SandboxError, Scratch, keep_for_guard, mount_workers_proc, open_proc,
    renew_ipc_namespace, sweep,
};
use crate::sys::{self, Dispositions, Exit, Rusage, Side};

/// How often the tree is looked at while a job runs. Memory can grow by some 2 GB a second and core, so this bounds by
/// how much the limit can be passed; a look costs some 50 microseconds.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// How many children are collected at a time.
const MAX_REAPED: usize = 256;

/// Where a look takes longer, because the tree is large and near its limit, the next one comes after this many times as
/// long, so that a guard never takes more than a third of a processor.
const WATCH_SHARE: u32 = 2;

/// Runs in a fresh fork of the zygote, in namespaces of its own. Without Python, its workers are probes.
pub fn run(blueprint: &Blueprint, python: Option<&Python>, control: &OwnedFd) -> ! {
    match Guard::start(blueprint, python, control) {
        Ok(mut guard) => guard.serve(),
        Err(error) => tell(control, &GuardReport::Failed(vec![error])),
    }
    // Closing a socket in which something is unread resets the connection, and what was said last would be lost.
    while channel::receive(control).is_ok_and(|message| message.is_some()) {}
    sys::exit_now(0)
}

fn tell(control: &OwnedFd, report: &GuardReport) {
    // If the service is gone, there is nobody to tell.
    let _ = channel::send_json(control, report, &[]);
}

struct Guard<'a> {
    blueprint: &'a Blueprint,
    python: Option<&'a Python>,
    control: &'a OwnedFd,
    /// Where the processes are seen.
    proc: OwnedFd,
    /// Readable when a child has ended.
    exits: OwnedFd,
    /// What a worker does on signals. The guard itself must have no handler for any.
    dispositions: Dispositions,
    /// Left by the last worker as it was made.
    space: Option<Space>,
    integrity: Integrity,
}

impl<'a> Guard<'a> {
    /// Makes what all workers will need.
    fn start(blueprint: &'a Blueprint, python: Option<&'a Python>, control: &'a OwnedFd) -> Result<Self, SandboxError> {
        let policy = &blueprint.policy;
        if !sys::wipe_from_now_on() {
            return Err(SandboxError::fault("wipe memory")("the program has another allocator"));
        }
        // A worker has the usual way of waiting, and the signal handlers that Python has set in the zygote.
        sys::wait_for_child_exits();
        let exits = sys::child_exits().map_err(SandboxError::fault("signalfd"))?;
        let dispositions = sys::reset_signals();
        if policy.has(Mechanism::Scratch) {
            mount_workers_proc(policy)?;
        }
        let proc = proc(policy.has(Mechanism::Namespaces))?;
        let mut kept = vec![control.as_fd(), proc.as_fd(), exits.as_fd()];
        kept.extend(blueprint.numbers.as_ref().map(AsFd::as_fd));
        // SAFETY: all other descriptors are the zygote's, which this process has nothing to do with.
        unsafe { close_others(&kept) }?;
        if policy.has(Mechanism::Namespaces) && policy.has(Mechanism::Capabilities) {
            keep_for_guard()?;
        }
        let integrity = Integrity::of_this_thread();
        Ok(Self { blueprint, python, control, proc, exits, dispositions, space: None, integrity })
    }

    /// Makes workers on request, until one cannot be made, or the service closes the socket.
    fn serve(&mut self) {
        loop {
            match channel::receive(self.control) {
                Ok(Some(message)) if message.bytes == MAKE => match self.make(message) {
                    Ok(()) => {}
                    Err(errors) => return tell(self.control, &GuardReport::Failed(errors)),
                },
                // About a worker that had ended by itself already.
                Ok(Some(message)) if message.bytes == END || message.bytes == START => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Makes a worker, and sees to it until its end.
    fn make(&mut self, message: Message) -> Result<(), Vec<SandboxError>> {
        let alone = |error| vec![error];
        let policy = &self.blueprint.policy;
        if policy.has(Mechanism::Seal) && !Integrity::of_this_thread().is_as(&self.integrity) {
            // What comes of this process would not be what it should.
            return Err(alone(SandboxError::fault("make a worker")("a script has changed its guard")));
        }
        let ends = WorkerEnds::from_message(message).map_err(alone)?;
        let space = match self.space.take() {
            Some(space) => space.scratch.enter().map(|()| space),
            None => Space::make(self.blueprint),
        };
        let space = space.map_err(alone)?;
        let worker = self.fork(&space, ends).inspect_err(|_| {
            let _ = sweep::remove_remains(policy, &space.scratch);
        })?;
        let mut watch = Watch {
            guard: self,
            scratch: &space.scratch,
            worker,
            mapped_at_first: 0,
            before: Duration::ZERO,
            used: Rusage::default(),
        };
        // From now on what is used is the job's. It cannot be there before the service hears of the worker.
        space.scratch.begin();
        if policy.has(Mechanism::Seal) {
            watch.mapped_at_first = watch.watchdog(&|| false).mapped();
        }
        // From here on it waits for its job.
        watch.before = sys::cpu_time(worker);
        tell(self.control, &GuardReport::Ready { worker: worker.as_raw_nonzero().get() });
        watch.until_the_end();
        let (report, is_untouched) = watch.sweep();
        tell(self.control, &report);
        self.space = is_untouched.then_some(space);
        Ok(())
    }

    /// Forks a worker and waits until it is locked in.
    fn fork(&self, space: &Space, ends: WorkerEnds) -> Result<Pid, Vec<SandboxError>> {
        let alone = |error| vec![error];
        let policy = &self.blueprint.policy;
        // Where there is a filter, it refuses to make anything that such a namespace is about.
        if policy.has(Mechanism::Namespaces) && !policy.has(Mechanism::Seccomp) {
            renew_ipc_namespace().map_err(alone)?;
        }
        if let Some(numbers) = &self.blueprint.numbers {
            // Not every host allows it, and on some all numbers are the host's.
            let _ = numbers.begin();
        }
        let WorkerEnds { channel, stdout, stderr } = ends;
        let stdin = memfd_create("stdin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .map_err(SandboxError::fault("memfd_create"))
            .map_err(alone)?;
        let (ready, signal_ready) =
            pipe_with(PipeFlags::CLOEXEC).map_err(SandboxError::fault("pipe")).map_err(alone)?;
        let rules = space.rules.as_ref().map(Rules::try_clone).transpose().map_err(alone)?;
        sys::wipe_stack();
        // SAFETY: a fork of a process with one thread has one thread.
        let side = unsafe { sys::fork() }.map_err(SandboxError::fault("fork")).map_err(alone)?;
        let Side::Parent(worker) = side else {
            self.dispositions.restore();
            let streams = Standard { stdin, stdout, stderr };
            worker::run(self.blueprint, self.python, &space.place, rules, streams, channel, signal_ready)
        };
        drop((stdin, stdout, stderr, channel, signal_ready, rules));
        self.settle(worker, &space.scratch, ready).inspect_err(|_| {
            let _ = sweep::end_processes(policy, worker);
        })?;
        Ok(worker)
    }

    /// Waits until the worker is locked in.
    fn settle(&self, worker: Pid, scratch: &Scratch, ready: OwnedFd) -> Result<(), Vec<SandboxError>> {
        // By its path it would be the one that the worker has, which hides something, the guard itself among it.
        fchdir(&self.proc)
            .map_err(SandboxError::at(Mechanism::Watchdog, "enter /proc"))
            .map_err(|error| vec![error])?;
        wait_until_ready(ready)?;
        let (policy, is_probe) = (&self.blueprint.policy, self.python.is_none());
        // Not before it is known that this worker can be had: where it must be sealed, this is refused.
        if policy.has(Mechanism::Sweep) {
            sweep::adopt_orphans(policy).map_err(|error| vec![error])?;
        }
        if is_probe
            && policy.has(Mechanism::Watchdog)
            && !Watchdog::new(policy, scratch, worker, &|| false).sees_worker()
        {
            return Err(vec![SandboxError::at(Mechanism::Watchdog, "probe")("the worker is not seen in /proc")]);
        }
        Ok(())
    }
}

/// Where one worker after the other works, as long as none leaves a trace in it.
struct Space {
    scratch: Scratch,
    place: Place,
    rules: Option<Rules>,
}

impl Space {
    /// Makes the scratch space and enters it.
    fn make(blueprint: &Blueprint) -> Result<Self, SandboxError> {
        let Blueprint { policy, runtime, .. } = blueprint;
        let scratch = Scratch::make(policy)?;
        let place = Place { runtime: runtime.clone(), scratch: scratch.path().to_owned() };
        let rules = policy.has(Mechanism::Landlock).then(|| Rules::make(policy, &place)).transpose()?;
        Ok(Self { scratch, place, rules })
    }
}

/// What a guard knows of its worker.
struct Watch<'a> {
    guard: &'a Guard<'a>,
    scratch: &'a Scratch,
    worker: Pid,
    /// What the worker had mapped when its job began.
    mapped_at_first: u64,
    /// What the worker had used when its job began.
    before: Duration,
    /// What those have used that have ended.
    used: Rusage,
}

impl Watch<'_> {
    fn policy(&self) -> &Policy {
        &self.guard.blueprint.policy
    }

    fn watchdog<'b>(&'b self, interrupted: &'b dyn Fn() -> bool) -> Watchdog<'b> {
        Watchdog::new(self.policy(), self.scratch, self.worker, interrupted).mapped_at_first(self.mapped_at_first)
    }

    /// Whether the service has said something.
    fn is_called(&self) -> bool {
        let mut call = [PollFd::new(self.guard.control, PollFlags::IN)];
        poll(&mut call, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(0)
    }

    /// The limit that the worker and what came of it are over. To count memory can take long: meanwhile processes must not
    /// become many.
    fn exceeded(&self) -> Option<Excess> {
        let counted = Cell::new(Instant::now());
        let overcrowded = || {
            counted.get().elapsed() > WATCH_INTERVAL && {
                let found = self.watchdog(&|| false).is_overcrowded();
                counted.set(Instant::now());
                found
            }
        };
        self.watchdog(&|| self.is_called() || overcrowded()).exceeded()
    }

    /// Waits for the worker's end, or a reason to end it.
    fn until_the_end(&mut self) {
        let Guard { control, exits, .. } = self.guard;
        let mut next_look = None;
        loop {
            let interval = next_look.map(|_| timespec(WATCH_INTERVAL));
            let mut waiting = [PollFd::new(exits, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
            match poll(&mut waiting, interval.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) => {}
            }
            if !waiting[1].revents().is_empty() {
                match channel::receive(control) {
                    Ok(Some(message)) if message.bytes == START => {
                        next_look = self.policy().has(Mechanism::Watchdog).then(|| Instant::now() + WATCH_INTERVAL);
                    }
                    Ok(Some(message)) if message.bytes == END => {
                        return self.tell_usage();
                    }
                    // Anything else means that there is no more use for this worker.
                    Ok(_) | Err(_) => return,
                }
            }
            match self.reap() {
                Ok(None) => {}
                Ok(Some(report)) => return tell(control, &report),
                Err(_) => return,
            }
            let excess = match next_look {
                Some(time) if Instant::now() >= time => {
                    let before = processor_time();
                    let excess = self.exceeded();
                    let used = processor_time().saturating_sub(before);
                    next_look = Some(Instant::now() + WATCH_INTERVAL.max(used * WATCH_SHARE));
                    excess
                }
                Some(_) => self.watchdog(&|| false).is_overcrowded().then_some(Excess::Processes),
                None => None,
            };
            if let Some(excess) = excess {
                return tell(control, &GuardReport::Exceeded(excess));
            }
        }
    }

    /// Collects whatever has ended; the worker's end is worth a report.
    fn reap(&mut self) -> io::Result<Option<GuardReport>> {
        // What it says is not of interest. However often a script makes it readable again, it is read once.
        let _ = rustix::io::read(&self.guard.exits, &mut [0; 512][..]);
        // However many there are, what else is to be done has its turn.
        for _ in 0..MAX_REAPED {
            let Some((pid, exit, usage)) = sys::wait(false)? else { break };
            self.used.add(usage);
            if pid == self.worker {
                let exit = match exit {
                    Exit::Status(status) => Ended::Status(status),
                    Exit::Signal(signal) => Ended::Signal(signal),
                };
                return Ok(Some(GuardReport::Ended { exit, cpu_us: microseconds(usage.cpu) }));
            }
        }
        Ok(None)
    }

    /// Tells what those have used that have ended, and those that have not. Of a worker that is about to end that is known
    /// when it has.
    fn tell_usage(&self) {
        if let Some(running) = self.watchdog(&|| false).used() {
            let mut used = self.used;
            used.add(running);
            tell(self.guard.control, &GuardReport::Ending(self.since_ready(used)));
        }
    }

    fn since_ready(&self, used: Rusage) -> Used {
        Used { cpu_us: microseconds(used.cpu.saturating_sub(self.before)), max_rss_bytes: used.max_rss_bytes }
    }

    /// Ends everything. Says whether nothing is left, and whether the scratch space can be used again.
    fn sweep(&mut self) -> (GuardReport, bool) {
        let policy = self.policy();
        let swept = sweep::end_processes(policy, self.worker).and_then(|used| {
            self.used.add(used);
            let is_untouched = self.scratch.is_untouched();
            if !is_untouched {
                sweep::remove_remains(self.policy(), self.scratch)?;
            }
            Ok(is_untouched)
        });
        match swept {
            Ok(is_untouched) => (GuardReport::Gone(self.since_ready(self.used)), is_untouched),
            Err(error) => (GuardReport::Remains { reason: error.to_string() }, false),
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

//! The guard of one worker: the init process of its PID namespace. It reaps what the script leaves behind, watches the
//! memory of the whole tree, and says how the worker ended. When it exits, the kernel kills everything in the
//! namespace, however well it hid. A script cannot signal, trace or read it.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{ClockId, clock_gettime};

use super::descriptors::Standard;
use super::{WorkerEnds, Zygote, worker};
use crate::channel;
use crate::protocol::{Ended, GuardReport, START};
use crate::sandbox::memory::Watchdog;
use crate::sandbox::{Mechanism, SandboxError, keep_for_guard, mount_scratch, open_proc};
use crate::sys::{self, Exit, Side};

/// How often memory is looked at while a job runs. Memory can grow by some 2 GB a second and core, so this bounds by
/// how much the limit can be passed; a look costs some 50 microseconds.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// Where a look takes longer, because the tree is large and near its limit, the next one comes after this many times as
/// long, so that a guard never takes more than a third of a processor.
const WATCH_SHARE: u32 = 2;

/// Runs in a fresh fork of the zygote, in namespaces of its own.
pub fn run(zygote: &Zygote, ends: WorkerEnds) -> ! {
    let WorkerEnds { channel, stdout, stderr, control } = ends;
    match start(zygote, &control, channel, stdout, stderr) {
        Ok((worker, proc)) => watch(&control, worker, &Watchdog::new(proc.as_fd(), zygote.hello.policy.memory_bytes)),
        Err(error) => {
            // If the service is gone, there is nobody to tell.
            let _ = channel::send_json(&control, &GuardReport::Failed(error), &[]);
        }
    }
    sys::exit_now(0)
}

/// Makes the worker and waits until it is locked in. Gives its process, and a /proc to watch it with.
fn start(
    zygote: &Zygote,
    control: &OwnedFd,
    channel: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
) -> Result<(Pid, OwnedFd), SandboxError> {
    let failed = |step| SandboxError::at(Mechanism::Process, step);
    mount_scratch(&zygote.hello.policy)?;
    let proc = open_proc()?;
    let stdin = memfd_create("stdin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .map_err(SandboxError::at(Mechanism::Descriptors, "memfd_create"))?;
    let (ready, signal_ready) = pipe_with(PipeFlags::CLOEXEC).map_err(failed("pipe"))?;
    // The worker inherits the signal handlers that Python has set in the zygote, and the usual way of waiting.
    sys::wait_for_child_exits();
    // SAFETY: a fork of a process with one thread has one thread.
    match unsafe { sys::fork() }.map_err(SandboxError::at(Mechanism::Process, "fork"))? {
        Side::Child => worker::run(zygote, Standard { stdin, stdout, stderr }, channel, signal_ready),
        Side::Parent(worker) => {
            sys::reset_signals();
            drop((stdin, stdout, stderr, channel, signal_ready));
            // SAFETY: all other descriptors were the zygote's, which this process has nothing to do with.
            unsafe { sys::close_all_but(&[control.as_fd(), ready.as_fd(), proc.as_fd()]) }
                .map_err(SandboxError::at(Mechanism::Descriptors, "close_range"))?;
            keep_for_guard()?;
            wait_until_ready(ready)?;
            let _ = channel::send_json(control, &GuardReport::Ready, &[]);
            Ok((worker, proc))
        }
    }
}

/// The worker says `ok`, or the JSON of the error; if it dies before, it says nothing.
fn wait_until_ready(ready: OwnedFd) -> Result<(), SandboxError> {
    let mut said = Vec::new();
    std::fs::File::from(ready)
        .read_to_end(&mut said)
        .map_err(SandboxError::at(Mechanism::Process, "read the worker's state"))?;
    if said == worker::READY {
        return Ok(());
    }
    Err(serde_json::from_slice(&said).unwrap_or_else(|_| {
        SandboxError::at(Mechanism::Process, "lock in the worker")("it ended before it was locked in")
    }))
}

/// Waits for the worker's end. Returns when the guard should exit.
fn watch(control: &OwnedFd, worker: Pid, watchdog: &Watchdog) {
    let Ok(ended) = pidfd_open(worker, PidfdFlags::empty()) else { return };
    let mut started = false;
    let mut pause = WATCH_INTERVAL;
    loop {
        let interval = started.then(|| timespec(pause));
        let mut waiting = vec![PollFd::new(&ended, PollFlags::IN)];
        if !started {
            waiting.push(PollFd::new(control, PollFlags::IN));
        }
        match poll(&mut waiting, interval.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let asked = waiting.get(1).is_some_and(|fd| !fd.revents().is_empty());
        if asked {
            // Anything but the start of the job means that the service has no more use for this worker.
            match channel::receive(control) {
                Ok(Some(message)) if message.bytes == START => started = true,
                Ok(_) | Err(_) => return,
            }
        }
        match reap(worker) {
            Ok(None) => {}
            Ok(Some(report)) => {
                let _ = channel::send_json(control, &report, &[]);
                return;
            }
            Err(_) => return,
        }
        if started {
            let before = processor_time();
            if watchdog.exceeded() {
                let _ = channel::send_json(control, &GuardReport::OutOfMemory, &[]);
                return;
            }
            pause = WATCH_INTERVAL.max(processor_time().saturating_sub(before) * WATCH_SHARE);
        }
    }
}

/// What this process has used: a busy machine must not make looks rarer.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0))
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

/// Collects whatever has ended; the worker's end is worth a report.
fn reap(worker: Pid) -> io::Result<Option<GuardReport>> {
    while let Some((pid, exit, usage)) = sys::wait(false)? {
        if pid == worker {
            let exit = match exit {
                Exit::Status(status) => Ended::Status(status),
                Exit::Signal(signal) => Ended::Signal(signal),
            };
            let cpu_us = u64::try_from(usage.cpu.as_micros()).unwrap_or(u64::MAX);
            return Ok(Some(GuardReport::Ended { exit, cpu_us, max_rss_bytes: usage.max_rss_bytes }));
        }
    }
    Ok(None)
}

//! A monitor makes one worker after the other. It reaps what a script leaves behind, watches the memory, processes and files
//! of the whole tree, says how the worker ended, and sees to it that nothing stays. A script cannot signal, trace or read it.
//!
//! Where there is a PID namespace, the monitor is its init process: it can kill everything in it at once, however well it hid,
//! and when it exits, for whatever reason, the kernel does.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, fchdir, waitpid};

use super::descriptors::{Standard, close_others};
use super::probe::left_by_probe;
use super::python::Python;
use super::watch::Watch;
use super::{WorkerEnds, WorkerSpec, worker};
use crate::ipc::channel::{self, Message};
use crate::ipc::{END, MAKE, MonitorReport, START};
use crate::sandbox::cgroup::{Joined, PROBE_MEMORY, PROBE_PROCESSES};
use crate::sandbox::integrity::Integrity;
use crate::sandbox::watchdog::Watchdog;
use crate::sandbox::{
    Mechanism, Owner, Policy, Proc, Rules, SandboxError, Scratch, WorkerPaths, keep_for_monitor, mount_workers_proc,
    renew_ipc_namespace, sweep,
};
use crate::sys::{self, Dispositions, Side};

/// Runs in a fresh fork of the zygote, in namespaces of its own. Without Python, its workers are probes.
pub fn run(spec: &WorkerSpec, python: Option<&Python>, control: &OwnedFd, group: Option<Joined>) -> ! {
    match Monitor::start(spec, python, control, group) {
        Ok(mut monitor) => monitor.serve(),
        Err(error) => tell(control, &MonitorReport::Failed(vec![error])),
    }
    // Closing a socket in which something is unread resets the connection, and what was said last would be lost.
    while channel::receive(control).is_ok_and(|message| message.is_some()) {}
    sys::exit_now(0)
}

pub fn tell(control: &OwnedFd, report: &MonitorReport) {
    // If the service is gone, there is nobody to tell.
    let _ = channel::send_json(control, report, &[]);
}

pub struct Monitor<'a> {
    spec: &'a WorkerSpec,
    python: Option<&'a Python>,
    pub control: &'a OwnedFd,
    /// The cgroup that its workers are made in.
    pub group: Option<Joined>,
    /// Where the processes are seen.
    pub proc: Proc,
    /// Readable when a child has ended.
    pub exits: OwnedFd,
    /// What a worker does on signals. The monitor itself must have no handler for any.
    dispositions: Dispositions,
    /// Left by the last worker as it was made.
    space: Option<Workspace>,
    integrity: Integrity,
}

impl<'a> Monitor<'a> {
    /// Makes what all workers will need.
    fn start(
        spec: &'a WorkerSpec,
        python: Option<&'a Python>,
        control: &'a OwnedFd,
        group: Option<Joined>,
    ) -> Result<Self, SandboxError> {
        let policy = &spec.policy;
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
        let proc = if policy.has(Mechanism::Namespaces) { Proc::of_namespace()? } else { Proc::mounted(true)? };
        let mut kept = vec![control.as_fd(), proc.directory.as_fd(), exits.as_fd()];
        kept.extend(spec.numbers.as_ref().map(AsFd::as_fd));
        kept.extend(group.as_ref().map(AsFd::as_fd));
        // SAFETY: all other descriptors are the zygote's, which this process has nothing to do with.
        unsafe { close_others(&kept) }?;
        if policy.has(Mechanism::Namespaces) && policy.has(Mechanism::Capabilities) {
            keep_for_monitor()?;
        }
        let integrity = Integrity::of_this_thread();
        Ok(Self { spec, python, control, group, proc, exits, dispositions, space: None, integrity })
    }

    pub fn policy(&self) -> &'a Policy {
        &self.spec.policy
    }

    /// Makes workers on request, until one cannot be made, or the service closes the socket.
    fn serve(&mut self) {
        loop {
            match channel::receive(self.control) {
                Ok(Some(message)) if message.bytes == MAKE => match self.make(message) {
                    Ok(()) => {}
                    Err(errors) => return tell(self.control, &MonitorReport::Failed(errors)),
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
        let policy = &self.spec.policy;
        if policy.has(Mechanism::Seal) && !Integrity::of_this_thread().is_as(&self.integrity) {
            // What comes of this process would not be what it should.
            return Err(alone(SandboxError::fault("make a worker")("a script has changed its monitor")));
        }
        let ends = WorkerEnds::from_message(message).map_err(alone)?;
        let space = match self.space.take() {
            Some(space) => space.scratch.enter().map(|()| space),
            None => Workspace::make(self.spec, if self.python.is_some() { Owner::Script } else { Owner::Probe }),
        };
        let space = space.map_err(alone)?;
        let worker = self.fork(&space, ends).inspect_err(|_| {
            let _ = sweep::remove_remains(policy, &space.scratch);
        })?;
        // The job cannot be there before the service hears of the worker.
        space.scratch.begin();
        let watch = Watch::new(self, &space.scratch, worker);
        tell(self.control, &MonitorReport::Ready { worker: worker.as_raw_nonzero().get() });
        let (report, is_untouched) = watch.see_off();
        tell(self.control, &report);
        self.space = is_untouched.then_some(space);
        Ok(())
    }

    /// Forks a worker and waits until it is locked in.
    fn fork(&self, space: &Workspace, ends: WorkerEnds) -> Result<Pid, Vec<SandboxError>> {
        let alone = |error| vec![error];
        let policy = &self.spec.policy;
        // Where there is a filter, it refuses to make anything that such a namespace is about.
        if policy.has(Mechanism::Namespaces) && !policy.has(Mechanism::Seccomp) {
            renew_ipc_namespace().map_err(alone)?;
        }
        if let Some(numbers) = &self.spec.numbers {
            // Not every host allows it, and on some all numbers are the host's.
            let _ = numbers.begin();
        }
        if let (Some(group), None) = (&self.group, self.python) {
            self.try_limits(group).map_err(alone)?;
        }
        let WorkerEnds { channel, stdout, stderr } = ends;
        let stdin = memfd_create("stdin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .map_err(SandboxError::fault("memfd_create"))
            .map_err(alone)?;
        let (ready, signal_ready) =
            pipe_with(PipeFlags::CLOEXEC).map_err(SandboxError::fault("pipe")).map_err(alone)?;
        let rules = space.rules.as_ref().map(Rules::try_clone).transpose().map_err(alone)?;
        sys::wipe_stack();
        let side = self.fork_process().map_err(alone)?;
        let Side::Parent(worker) = side else {
            self.dispositions.restore();
            let streams = Standard { stdin, stdout, stderr };
            worker::run(self.spec, self.python, &space.place, rules, streams, channel, signal_ready)
        };
        drop((stdin, stdout, stderr, channel, signal_ready, rules));
        self.settle(worker, &space.scratch, ready).inspect_err(|_| {
            let _ = sweep::end_processes(policy, worker, self.group.as_ref());
        })?;
        Ok(worker)
    }

    /// Forks this process, into the cgroup if there is one.
    fn fork_process(&self) -> Result<Side<Pid>, SandboxError> {
        let Some(group) = &self.group else {
            // SAFETY: a fork of a process with one thread has one thread.
            return unsafe { sys::fork() }.map_err(SandboxError::fault("fork"));
        };
        let thread = self.spec.thread.as_ref();
        let thread = thread.map_err(SandboxError::at(Mechanism::Cgroup, "prctl PR_GET_TID_ADDRESS"))?;
        // SAFETY: as above; and this process is a fork of the zygote, whose thread it is.
        unsafe { sys::fork_into(group.as_fd(), thread) }
            .map_err(SandboxError::at(Mechanism::Cgroup, "clone3 CLONE_INTO_CGROUP"))
    }

    /// Has a process try to pass the limits of the cgroup, which are low enough for that: it must be refused processes, and be
    /// ended for its memory.
    fn try_limits(&self, group: &Joined) -> Result<(), SandboxError> {
        let broken = |what: &str| Err(SandboxError::at(Mechanism::Cgroup, "probe")(what));
        let before = group.shortages()?;
        let Side::Parent(process) = self.fork_process()? else { cgroup_bomb() };
        let ended = waitpid(Some(process), WaitOptions::empty()).map_err(SandboxError::fault("wait"))?;
        group.kill()?;
        while sys::wait(true).map_err(SandboxError::fault("wait"))?.is_some() {}
        match ended.map(|(_, status)| (status.terminating_signal(), status.exit_status())) {
            Some((Some(libc::SIGKILL), _)) if group.shortages()? > before => Ok(()),
            Some((_, Some(MANY_PROCESSES))) => broken("there are more processes than there may be"),
            _ => broken("there is more memory than there may be"),
        }
    }

    /// Waits until the worker is locked in.
    fn settle(&self, worker: Pid, scratch: &Scratch, ready: OwnedFd) -> Result<(), Vec<SandboxError>> {
        // By its path it would be the one that the worker has, which hides something, the monitor itself among it.
        fchdir(&self.proc.directory)
            .map_err(SandboxError::at(Mechanism::Watchdog, "enter /proc"))
            .map_err(|error| vec![error])?;
        wait_until_ready(ready)?;
        let (policy, is_probe) = (&self.spec.policy, self.python.is_none());
        // Not before it is known that this worker can be had: where it must be sealed, this is refused.
        if policy.has(Mechanism::Sweep) {
            sweep::adopt_orphans(policy).map_err(|error| vec![error])?;
        }
        if let (Some(group), true) = (&self.group, is_probe)
            && group.processes().map_err(|error| vec![error])? < left_by_probe(policy)
        {
            return Err(vec![SandboxError::at(Mechanism::Cgroup, "probe")("the worker is not in its cgroup")]);
        }
        if is_probe
            && policy.has(Mechanism::Watchdog)
            && Watchdog::new(policy, scratch, worker, 0).sees() < left_by_probe(policy)
        {
            let reason = "the worker, or a process that it has left, is not seen in /proc";
            return Err(vec![SandboxError::at(Mechanism::Watchdog, "probe")(reason)]);
        }
        Ok(())
    }
}

/// What a process ends with that could make more processes than its cgroup may have.
const MANY_PROCESSES: i32 = 1;

/// Takes more processes and more memory than a cgroup of a probe may have.
fn cgroup_bomb() -> ! {
    let fork = || {
        // SAFETY: this process has one thread, and its children only wait.
        let side = unsafe { sys::fork() };
        if matches!(side, Ok(Side::Child)) {
            worker::wait_for_the_end();
        }
        side.is_ok()
    };
    if (0..PROBE_PROCESSES).all(|_| fork()) {
        sys::exit_now(MANY_PROCESSES);
    }
    let bytes = 2 * PROBE_MEMORY as usize;
    std::hint::black_box(vec![1_u8; bytes]);
    sys::exit_now(0)
}

/// Where one worker after the other works, as long as none leaves a trace in it.
struct Workspace {
    scratch: Scratch,
    place: WorkerPaths,
    rules: Option<Rules>,
}

impl Workspace {
    /// Makes the scratch space and enters it.
    fn make(spec: &WorkerSpec, owner: Owner) -> Result<Self, SandboxError> {
        let WorkerSpec { policy, runtime, .. } = spec;
        let scratch = Scratch::make(policy, owner)?;
        let place = WorkerPaths { runtime: runtime.clone(), scratch: scratch.path().to_owned() };
        let rules = policy.has(Mechanism::Landlock).then(|| Rules::make(policy, &place)).transpose();
        let rules = rules.inspect_err(|_| {
            let _ = scratch.wipe(policy);
        })?;
        Ok(Self { scratch, place, rules })
    }
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

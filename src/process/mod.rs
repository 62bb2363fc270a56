//! The processes below the service. A zygote is this program, started again, with Python loaded; all that it does is fork.
//! One fork is a zygote with more modules imported; the others are monitors. A monitor forks one worker after the other, watches
//! it, and ends all that came of it.
//!
//! ```text
//! service
//! └─ launcher              leaves the host's namespaces, then waits; without namespaces it becomes the zygote (enter)
//!    └─ zygote             init process of its PID namespace: nothing below survives it (this module)
//!       ├─ monitor           init process of a PID namespace; no Python runs in it (monitor)
//!       │  └─ worker       locked in, runs one job (worker)
//!       └─ zygote          preloaded
//!          └─ monitor ...
//! ```

mod artifacts;
mod descriptors;
mod inspector;
mod launcher;
mod monitor;
mod probe;
mod python;
mod watch;
mod worker;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::process::{Pid, Signal, WaitOptions, geteuid, kill_process, set_parent_process_death_signal, waitpid};
use rustix::thread::UnshareFlags;

use crate::ipc::channel::{self, Message};
use crate::ipc::{ZygoteReply, ZygoteRequest};
use crate::sandbox::cgroup::Joined;
use crate::sandbox::integrity::Integrity;
use crate::sandbox::{
    Filter, Isolation, LastPid, MONITOR_NAMESPACES, Mechanism, Mechanisms, Policy, SandboxError, hide_from_tracers,
    split,
};
use crate::sys::{self, Side, ThreadState};
use python::Python;

/// The argument with which the service starts a zygote, followed by the mechanisms of its policy.
pub const ENTER: &str = "zygote-enter";

/// The argument with which the launcher executes this program a second time, inside the runtime.
const SERVE: &CStr = c"zygote";

// The descriptors that a zygote is started with.
pub const SOCKET: RawFd = 3;
pub const RUNTIME: RawFd = 4;
pub const PROGRAM: RawFd = 5;
pub const LOADER: RawFd = 6;

/// Added by the launcher.
const NUMBERS: RawFd = 7;

/// The whole environment of a script. One thread per BLAS call: threads would not survive the fork, and one job must
/// not take all processors.
const ENVIRONMENT: [&str; 13] = [
    "HOME=/tmp",
    "LANG=C.UTF-8",
    "LC_ALL=C.UTF-8",
    "MPLBACKEND=Agg",
    "NUMEXPR_NUM_THREADS=1",
    "OMP_NUM_THREADS=1",
    "OPENBLAS_NUM_THREADS=1",
    "PATH=/usr/bin",
    "PYTHONDONTWRITEBYTECODE=1",
    "PYTHONNOUSERSITE=1",
    "TMPDIR=/tmp",
    "TZ=UTC",
    "USER=sandbox",
];

/// What a runtime that is not the root directory is told of where its parts are, below itself.
const IN_PLACE: [(&str, &str); 6] = [
    ("PYTHONHOME", "usr"),
    ("LOCPATH", "usr/lib/locale"),
    ("PYTHONTZPATH", "usr/share/zoneinfo"),
    // For the C library, which knows no other variable.
    ("TZDIR", "usr/share/zoneinfo"),
    ("TERMINFO", "usr/share/terminfo"),
    ("PATH", "usr/bin"),
];

/// Runs this process as a part of a zygote if its arguments say so. To be called first in `main`, while there is one
/// thread.
pub fn dispatch() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let (stage, mechanisms) = (arguments.next()?, split(&arguments.next()?));
    match stage.as_bytes() {
        bytes if bytes == ENTER.as_bytes() => Some(launcher::run(&mechanisms)),
        bytes if bytes == SERVE.to_bytes() => Some(serve(&mechanisms)),
        _ => None,
    }
}

/// What a zygote is started with, in place of the service's environment.
fn environment(mechanisms: &Mechanisms, in_place: Option<&Path>) -> Vec<CString> {
    let mut variables: Vec<Vec<u8>> = ENVIRONMENT.iter().map(|variable| variable.as_bytes().to_vec()).collect();
    if let Some(runtime) = in_place {
        variables.retain(|variable| !variable.starts_with(b"PATH="));
        variables.extend(
            IN_PLACE
                .iter()
                .map(|(name, part)| [name.as_bytes(), b"=", runtime.join(part).as_os_str().as_bytes()].concat()),
        );
    }
    if !mechanisms.contains(&Mechanism::Environment) {
        let inherited = std::env::vars_os();
        variables.extend(inherited.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()));
    }
    variables.into_iter().filter_map(|variable| CString::new(variable).ok()).collect()
}

/// A variable that is none of those above.
fn foreign_variable() -> Option<SandboxError> {
    let ours = |name: &str| {
        ENVIRONMENT.iter().any(|variable| variable.split('=').next() == Some(name))
            || IN_PLACE.iter().any(|(known, _)| *known == name)
    };
    let foreign = std::env::vars_os().find(|(name, _)| !name.to_str().is_some_and(ours));
    foreign.map(|(name, _)| SandboxError::at(Mechanism::Environment, "probe")(format!("{} is set", name.display())))
}

/// The worker's ends of what connects it with the service.
struct WorkerEnds {
    /// A job comes in, its outcome goes out. Stream.
    channel: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl WorkerEnds {
    fn from_message(message: Message) -> Result<Self, SandboxError> {
        let [channel, stdout, stderr] = descriptors(message).map_err(SandboxError::fault("make a worker"))?;
        Ok(Self { channel, stdout, stderr })
    }
}

/// The descriptors of a message that has to have so many.
fn descriptors<const N: usize>(message: Message) -> io::Result<[OwnedFd; N]> {
    <[OwnedFd; N]>::try_from(message.descriptors)
        .map_err(|found| io::Error::new(io::ErrorKind::InvalidData, format!("{} descriptors, not {N}", found.len())))
}

/// What monitors and workers are made by.
struct WorkerSpec {
    policy: Policy,
    /// The runtime: the root directory, or where it lies on the host.
    runtime: PathBuf,
    filter: Filter,
    /// Where there are PID namespaces, and the kernel offers it.
    numbers: Option<LastPid>,
    /// State of the zygote's thread, for workers that are made in a cgroup.
    thread: io::Result<ThreadState>,
}

impl WorkerSpec {
    fn new(policy: Policy, numbers: Option<LastPid>) -> io::Result<Self> {
        let runtime = if policy.has(Mechanism::Root) { PathBuf::from("/") } else { std::env::current_dir()? };
        let surroundings = if policy.has(Mechanism::Namespaces) {
            Isolation::Namespaced
        } else {
            let user = geteuid();
            let owns_files = user.is_root() || runtime.metadata()?.uid() == user.as_raw();
            Isolation::Shared { only_signals: None, owns_files }
        };
        let thread = ThreadState::of_this_thread();
        Ok(Self { policy, runtime, filter: Filter::new(surroundings), numbers, thread })
    }

    /// Takes the cgroup for workers from a message, if the policy has one.
    fn group(&self, message: &mut Message) -> io::Result<Option<Joined>> {
        if !self.policy.has(Mechanism::Cgroup) {
            return Ok(None);
        }
        let group = message.descriptors.pop().ok_or_else(|| io::Error::other("no cgroup comes along"))?;
        Ok(Some(group.into()))
    }

    /// Forks into the namespaces that a monitor has for itself.
    fn fork(&self) -> io::Result<Side<Pid>> {
        if !self.policy.has(Mechanism::Namespaces) {
            // SAFETY: the zygote has one thread: Python starts none, and the harness checks that no import did.
            return unsafe { sys::fork() };
        }
        // What /proc tells of a network namespace is for Landlock to hide, or else must be the monitor's own.
        let network = if self.policy.has(Mechanism::Landlock) { UnshareFlags::empty() } else { UnshareFlags::NEWNET };
        // SAFETY: as above.
        unsafe { sys::clone_into(MONITOR_NAMESPACES | network) }
    }
}

/// The life of a zygote. It ends when the service closes its socket, which also happens when the service dies.
fn serve(mechanisms: &Mechanisms) -> ExitCode {
    // SAFETY: the launcher has put the socket there, and this is the first use of it.
    let socket = unsafe { sys::inherited(SOCKET) };
    match Zygote::start(&socket, mechanisms) {
        Ok(Some(mut zygote)) => zygote.serve(&socket),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            // If the service is gone, there is nobody to tell.
            let _ = channel::send_json(&socket, &ZygoteReply::Failed { reason: error.to_string() }, &[]);
            ExitCode::FAILURE
        }
    }
}

struct Zygote {
    python: Python,
    spec: WorkerSpec,
    integrity: Integrity,
}

impl Zygote {
    /// Becomes a zygote, unless the service does not want it.
    fn start(socket: &OwnedFd, mechanisms: &Mechanisms) -> io::Result<Option<Self>> {
        // SAFETY: only the launcher may have put something there, and this is the first use of it.
        let numbers = unsafe { sys::inherited_if_open(NUMBERS) }.map(LastPid::from);
        let mut kept = vec![socket.as_fd()];
        kept.extend(numbers.as_ref().map(AsFd::as_fd));
        // SAFETY: this process has just been executed, and what it was given besides was for that.
        unsafe { sys::close_all_but(&kept) }.map_err(SandboxError::at(Mechanism::Descriptors, "close_range"))?;
        if mechanisms.contains(&Mechanism::Dumpable)
            && let Err(error) = hide_from_tracers()
        {
            channel::send_json(socket, &ZygoteReply::Refused(vec![error]), &[])?;
            return Ok(None);
        }
        if mechanisms.contains(&Mechanism::Namespaces) {
            set_parent_process_death_signal(Some(Signal::KILL))
                .map_err(SandboxError::at(Mechanism::Namespaces, "prctl PR_SET_PDEATHSIG"))?;
        }
        sys::reset_program_signals();
        channel::send_json(socket, &ZygoteReply::Entered, &[])?;
        let Some((spec, preload)) = answer_probes(socket, numbers)? else { return Ok(None) };
        let python = Python::start().map_err(io::Error::other)?;
        let sealed = spec.policy.has(Mechanism::Seal);
        let ready = python.warm_up(&preload, &spec.runtime, sealed).map_err(io::Error::other)?;
        sys::unbuffer_c_stdout();
        sys::ignore_child_exits();
        channel::send_json(socket, &ZygoteReply::Ready(ready), &[])?;
        Ok(Some(Self { python, spec, integrity: Integrity::of_this_thread() }))
    }

    /// Forks on request.
    fn serve(&mut self, socket: &OwnedFd) -> ExitCode {
        while let Ok(Some(message)) = channel::receive(socket) {
            if self.spec.policy.has(Mechanism::Seal) && !Integrity::of_this_thread().is_as(&self.integrity) {
                // A script has changed this process: what comes of it would not be what it should.
                return ExitCode::FAILURE;
            }
            let replied = match message.parse() {
                Ok(ZygoteRequest::Monitor) => self.fork_monitor(message).map(forked),
                Ok(ZygoteRequest::Preload(modules)) => self.fork_zygote(message, &modules).map(forked),
                Ok(ZygoteRequest::End { monitor }) => Ok(ZygoteReply::Ending { is_gone: end_child(monitor) }),
                Ok(ZygoteRequest::Ping) => Ok(ZygoteReply::Pong { max_rss_bytes: sys::max_rss_bytes() }),
                Ok(_) | Err(_) => break,
            };
            let reply = replied.unwrap_or_else(|error| ZygoteReply::NotForked { reason: error.to_string() });
            if channel::send_json(socket, &reply, &[]).is_err() {
                break;
            }
        }
        ExitCode::SUCCESS
    }

    fn fork_monitor(&self, mut message: Message) -> io::Result<Pid> {
        let group = self.spec.group(&mut message)?;
        let [control] = descriptors(message)?;
        self.python.before_fork();
        match self.spec.fork() {
            Ok(Side::Child) => monitor::run(&self.spec, Some(&self.python), &control, group),
            side => {
                self.python.after_fork_parent();
                parent(side)
            }
        }
    }

    /// Forks a zygote that has more modules. It shares all that this one has.
    fn fork_zygote(&mut self, message: Message, modules: &[String]) -> io::Result<Pid> {
        let [socket, lifeline] = descriptors(message)?;
        self.python.before_fork();
        // SAFETY: the zygote has one thread.
        let side = unsafe { sys::fork() };
        if matches!(side, Ok(Side::Child)) {
            self.python.after_fork_child();
            let ended = self.become_preloaded(modules, &socket, &lifeline);
            sys::exit_now(i32::from(ended.is_err()));
        }
        self.python.after_fork_parent();
        parent(side)
    }

    fn become_preloaded(&mut self, modules: &[String], socket: &OwnedFd, lifeline: &OwnedFd) -> io::Result<()> {
        let mut kept = vec![socket.as_fd(), lifeline.as_fd()];
        kept.extend(self.spec.numbers.as_ref().map(AsFd::as_fd));
        // SAFETY: the others are the first zygote's, to whose code this process does not return.
        unsafe { sys::close_all_but(&kept) }?;
        // Where it is refused, the service closes the socket when the first zygote is gone.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        self.integrity = Integrity::of_this_thread();
        let sealed = self.spec.policy.has(Mechanism::Seal);
        let reply = match self.python.preload(modules, sealed) {
            Ok(ready) => ZygoteReply::Ready(ready),
            Err(error) => ZygoteReply::Failed { reason: error.to_string() },
        };
        channel::send_json(socket, &reply, &[])?;
        self.serve(socket);
        Ok(())
    }
}

fn forked(child: Pid) -> ZygoteReply {
    ZygoteReply::Forked { process: child.as_raw_nonzero().get() }
}

/// The child, for its parent.
fn parent(side: io::Result<Side<Pid>>) -> io::Result<Pid> {
    match side? {
        Side::Parent(child) => Ok(child),
        Side::Child => Err(io::Error::other("a child came back")),
    }
}

/// Kills a child, and says whether it is gone, with the PID namespace of which it was the init process. It is nobody's zombie,
/// because the zygote ignores the ends of its children (wait(2), SIGCHLD).
fn end_child(number: i32) -> bool {
    let Some(child) = Pid::from_raw(number) else { return true };
    match waitpid(Some(child), WaitOptions::NOHANG) {
        Ok(None) => {
            let _ = kill_process(child, Signal::KILL);
            false
        }
        Ok(Some(_)) | Err(_) => true,
    }
}

/// Probes policies until there is one to be served, and what is to be preloaded. None: the service is gone, or wants none.
fn answer_probes(socket: &OwnedFd, numbers: Option<LastPid>) -> io::Result<Option<(WorkerSpec, Vec<String>)>> {
    loop {
        let Some(mut message) = channel::receive(socket)? else { return Ok(None) };
        match message.parse()? {
            ZygoteRequest::Serve { policy, preload } => return Ok(Some((WorkerSpec::new(policy, numbers)?, preload))),
            ZygoteRequest::Probe(policy) => {
                let spec = WorkerSpec::new(policy, None)?;
                let group = spec.group(&mut message)?;
                let refused = probe::probe(&spec, group);
                let reply = if refused.is_empty() { ZygoteReply::Held } else { ZygoteReply::Refused(refused) };
                channel::send_json(socket, &reply, &[])?;
            }
            other => return Err(io::Error::other(format!("unexpected request {other:?}"))),
        }
    }
}

//! The processes below the service. A zygote is this program, started again, with Python loaded and imports done; all
//! that it does is fork. Each fork is a guard, which forks the worker, watches it, and ends all that came of it.
//!
//! ```text
//! service
//! └─ launcher       leaves the host's namespaces, then waits; without namespaces it becomes the zygote (enter)
//!    └─ zygote      init process of its PID namespace: nothing below survives it (this module)
//!       └─ guard    init process of the worker's own PID namespace; no Python runs in it (guard)
//!          └─ worker   locked in, runs one job (worker)
//! ```

mod descriptors;
mod enter;
mod guard;
mod probe;
mod python;
mod worker;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::process::{Pid, Signal, geteuid, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use crate::channel::{self, Message};
use crate::protocol::{FORK, ZygoteReply, ZygoteRequest};
use crate::sandbox::integrity::Integrity;
use crate::sandbox::{
    Filter, Mechanism, Mechanisms, Policy, SandboxError, Surroundings, WORKER_NAMESPACES, hide_from_tracers, split,
};
use crate::sys::{self, Side};
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
const IN_PLACE: [(&str, &str); 5] = [
    ("PYTHONHOME", "usr"),
    ("LOCPATH", "usr/lib/locale"),
    ("PYTHONTZPATH", "usr/share/zoneinfo"),
    ("TERMINFO", "usr/share/terminfo"),
    ("PATH", "usr/bin"),
];

/// Runs this process as a part of a zygote if its arguments say so. To be called first in `main`, while there is one
/// thread.
pub fn dispatch() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let (stage, mechanisms) = (arguments.next()?, split(&arguments.next()?));
    match stage.as_bytes() {
        bytes if bytes == ENTER.as_bytes() => Some(enter::enter(&mechanisms)),
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
    /// The guard's own. Datagrams.
    control: OwnedFd,
}

impl WorkerEnds {
    fn from_message(message: Message) -> io::Result<Self> {
        let [channel, stdout, stderr, control] = <[OwnedFd; 4]>::try_from(message.descriptors)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a fork request has four descriptors"))?;
        Ok(Self { channel, stdout, stderr, control })
    }
}

/// What guards and workers are made by.
struct Blueprint {
    policy: Policy,
    /// The runtime: the root directory, or where it lies on the host.
    runtime: PathBuf,
    filter: Filter,
}

impl Blueprint {
    fn new(policy: Policy) -> io::Result<Self> {
        let runtime = if policy.has(Mechanism::Root) { PathBuf::from("/") } else { std::env::current_dir()? };
        let surroundings = if policy.has(Mechanism::Namespaces) {
            Surroundings::Apart
        } else {
            let user = geteuid();
            let owns_files = user.is_root() || runtime.metadata()?.uid() == user.as_raw();
            Surroundings::Shared { only_signals: None, owns_files }
        };
        Ok(Self { policy, runtime, filter: Filter::new(surroundings) })
    }

    /// Forks into the namespaces that a worker has for itself.
    fn fork(&self) -> io::Result<Side<Pid>> {
        if !self.policy.has(Mechanism::Namespaces) {
            // SAFETY: the zygote has one thread: Python starts none, and the harness checks that no import did.
            return unsafe { sys::fork() };
        }
        // What /proc tells of a network namespace is for Landlock to hide, or else must be the worker's own.
        let network = if self.policy.has(Mechanism::Landlock) { UnshareFlags::empty() } else { UnshareFlags::NEWNET };
        // SAFETY: as above.
        unsafe { sys::clone_into(WORKER_NAMESPACES | network) }
    }
}

/// The life of a zygote. It ends when the service closes its socket, which also happens when the service dies.
fn serve(mechanisms: &Mechanisms) -> ExitCode {
    // SAFETY: the launcher has put the socket there, and this is the first use of it.
    let socket = unsafe { sys::inherited(SOCKET) };
    match Zygote::start(&socket, mechanisms) {
        Ok(Some(zygote)) => zygote.fork_on_request(&socket),
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
    blueprint: Blueprint,
    integrity: Integrity,
}

impl Zygote {
    /// Becomes a zygote, unless the service does not want it.
    fn start(socket: &OwnedFd, mechanisms: &Mechanisms) -> io::Result<Option<Self>> {
        // SAFETY: this process has just been executed, and what it was given besides was for that.
        unsafe { sys::close_all_but(&[socket.as_fd()]) }
            .map_err(SandboxError::at(Mechanism::Descriptors, "close_range"))?;
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
        let Some((policy, preload)) = answer_probes(socket)? else { return Ok(None) };
        let blueprint = Blueprint::new(policy)?;
        let python = Python::start().map_err(io::Error::other)?;
        let sealed = blueprint.policy.has(Mechanism::Seal);
        let version = python.load_harness(&preload, &blueprint.runtime, sealed).map_err(io::Error::other)?;
        sys::unbuffer_c_stdout();
        sys::ignore_child_exits();
        channel::send_json(socket, &ZygoteReply::Ready { python: version }, &[])?;
        Ok(Some(Self { python, blueprint, integrity: Integrity::of_this_process() }))
    }

    fn fork_on_request(&self, socket: &OwnedFd) -> ExitCode {
        loop {
            let message = match channel::receive(socket) {
                Ok(Some(message)) if message.bytes == FORK => message,
                Ok(_) | Err(_) => return ExitCode::SUCCESS,
            };
            if self.blueprint.policy.has(Mechanism::Seal) && !Integrity::of_this_process().is_as(&self.integrity) {
                // A script has changed this process: what comes of it would not be what it should.
                return ExitCode::FAILURE;
            }
            let reply = match WorkerEnds::from_message(message).and_then(|ends| self.fork(ends)) {
                Ok(()) => ZygoteReply::Forked,
                Err(error) => ZygoteReply::NotForked { reason: error.to_string() },
            };
            if channel::send_json(socket, &reply, &[]).is_err() {
                return ExitCode::SUCCESS;
            }
        }
    }

    /// Forks a guard.
    fn fork(&self, ends: WorkerEnds) -> io::Result<()> {
        self.python.before_fork();
        let side = self.blueprint.fork();
        if matches!(side, Ok(Side::Child)) {
            guard::run(&self.blueprint, Some(&self.python), ends);
        }
        self.python.after_fork_parent();
        side.map(drop)
    }
}

/// Probes policies until there is one to be served. None: the service is gone, or wants none.
fn answer_probes(socket: &OwnedFd) -> io::Result<Option<(Policy, Vec<String>)>> {
    loop {
        let Some(message) = channel::receive(socket)? else { return Ok(None) };
        match message.parse()? {
            ZygoteRequest::Serve { policy, preload } => return Ok(Some((policy, preload))),
            ZygoteRequest::Probe(policy) => {
                let refused = probe::probe(&Blueprint::new(policy)?);
                let reply = if refused.is_empty() { ZygoteReply::Held } else { ZygoteReply::Refused(refused) };
                channel::send_json(socket, &reply, &[])?;
            }
        }
    }
}

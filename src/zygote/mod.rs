//! The processes below the service. A zygote is this program, started again, with Python loaded and imports done; all
//! that it does is fork. Each fork is a guard, which becomes the init process of a PID namespace and forks the worker.
//!
//! ```text
//! service
//! └─ launcher       leaves the host's namespaces, then waits (enter)
//!    └─ zygote      init process of its PID namespace: nothing below survives it (this module)
//!       └─ guard    init process of the worker's own PID namespace; no Python runs in it (guard)
//!          └─ worker   locked in, runs one job (worker)
//! ```

mod descriptors;
mod enter;
mod guard;
mod python;
mod worker;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::process::ExitCode;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::channel::{self, Message};
use crate::protocol::{FORK, Hello, ZygoteReply};
use crate::sandbox::{Mechanism, SandboxError, WORKER_NAMESPACES, hide_from_tracers, seccomp};
use crate::sys::{self, Side};
use python::Python;

/// The argument with which the service starts a zygote.
pub const ENTER: &str = "zygote-enter";

/// The argument with which the launcher executes this program a second time, inside the runtime.
const SERVE: &CStr = c"zygote";

// The descriptors that a zygote is started with.
pub const SOCKET: RawFd = 3;
pub const RUNTIME: RawFd = 4;
pub const PROGRAM: RawFd = 5;

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

/// Runs this process as a part of a zygote if its arguments say so. To be called first in `main`, while there is one
/// thread.
pub fn dispatch() -> Option<ExitCode> {
    let argument = std::env::args_os().nth(1)?;
    match argument.as_encoded_bytes() {
        bytes if bytes == ENTER.as_bytes() => Some(enter::enter()),
        bytes if bytes == SERVE.to_bytes() => Some(serve()),
        _ => None,
    }
}

fn environment() -> Vec<CString> {
    ENVIRONMENT.map(|variable| CString::new(variable).expect("constants have no NUL")).to_vec()
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

/// The life of a zygote. It ends when the service closes its socket, which also happens when the service dies.
fn serve() -> ExitCode {
    // SAFETY: the launcher has put the socket there, and this is the first use of it.
    let socket = unsafe { sys::inherited(SOCKET) };
    match Zygote::start(&socket) {
        Ok(zygote) => zygote.fork_on_request(&socket),
        Err(error) => {
            // If the service is gone, there is nobody to tell.
            let _ = channel::send_json(&socket, &ZygoteReply::Failed { reason: error.to_string() }, &[]);
            ExitCode::FAILURE
        }
    }
}

struct Zygote {
    python: Python,
    hello: Hello,
    filter: seccomp::Filter,
}

impl Zygote {
    fn start(socket: &OwnedFd) -> io::Result<Self> {
        hide_from_tracers()?;
        set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(SandboxError::at(Mechanism::Process, "prctl PR_SET_PDEATHSIG"))?;
        let hello: Hello = channel::receive(socket)?.ok_or_else(|| io::Error::other("the service is gone"))?.parse()?;
        sys::reset_fault_signals();
        let python = Python::start().map_err(io::Error::other)?;
        let version = python.load_harness(&hello.preload).map_err(io::Error::other)?;
        sys::unbuffer_c_stdout();
        sys::ignore_child_exits();
        channel::send_json(socket, &ZygoteReply::Ready { python: version }, &[])?;
        Ok(Self { python, hello, filter: seccomp::Filter::new() })
    }

    fn fork_on_request(&self, socket: &OwnedFd) -> ExitCode {
        loop {
            let message = match channel::receive(socket) {
                Ok(Some(message)) if message.bytes == FORK => message,
                Ok(_) | Err(_) => return ExitCode::SUCCESS,
            };
            let reply = match WorkerEnds::from_message(message) {
                Ok(ends) => self.fork(ends),
                Err(error) => Err(error),
            };
            let sent = match reply {
                Ok(pidfd) => channel::send_json(socket, &ZygoteReply::Forked, &[pidfd.as_fd()]),
                Err(error) => channel::send_json(socket, &ZygoteReply::NotForked { reason: error.to_string() }, &[]),
            };
            if sent.is_err() {
                return ExitCode::SUCCESS;
            }
        }
    }

    /// Forks a guard and gives its pidfd.
    fn fork(&self, ends: WorkerEnds) -> io::Result<OwnedFd> {
        self.python.before_fork();
        // SAFETY: the zygote has one thread: Python starts none, and the harness checks that no import did.
        let side = unsafe { sys::clone_into(WORKER_NAMESPACES) };
        match side {
            Ok(Side::Child) => guard::run(self, ends),
            Ok(Side::Parent(clone)) => {
                self.python.after_fork_parent();
                Ok(clone.pidfd)
            }
            Err(error) => {
                self.python.after_fork_parent();
                Err(error)
            }
        }
    }
}

//! From the host into the runtime: the first stage of a zygote, still under the host's C library.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::process::{Signal, fchdir, set_parent_process_death_signal, setsid};

use super::{PROGRAM, RUNTIME, SERVE, SOCKET, environment};
use crate::channel;
use crate::protocol::ZygoteReply;
use crate::sandbox::{Mechanism, SandboxError, enter_zygote_namespaces, limit_stack, switch_root};
use crate::sys::{self, Exit, Side};

/// Enters the namespaces, makes the runtime the root, and executes this program again under the runtime's own loader
/// and C library, which Python's libraries need. Waits for that process and ends as it did.
pub fn enter() -> ExitCode {
    // SAFETY: the service starts this process with the socket there, and nothing else has taken it.
    let socket = unsafe { sys::inherited(SOCKET) };
    let Err(error) = launch();
    // If the service is gone, there is nobody to tell.
    let _ = channel::send_json(&socket, &ZygoteReply::Failed { reason: error.to_string() }, &[]);
    ExitCode::FAILURE
}

fn launch() -> io::Result<Infallible> {
    // SAFETY: as for the socket.
    let (runtime, program) = unsafe { (sys::inherited(RUNTIME), sys::inherited(PROGRAM)) };
    // A signal from the terminal is for the service, which ends its zygotes itself.
    let failed = |step| SandboxError::at(Mechanism::Process, step);
    setsid().map_err(failed("setsid"))?;
    fchdir(&runtime).map_err(failed("enter the runtime"))?;
    drop(runtime);
    enter_zygote_namespaces()?;
    // The PID namespace begins with the first child.
    // SAFETY: this process has not started a thread.
    match unsafe { sys::fork() }.map_err(SandboxError::at(Mechanism::Process, "fork"))? {
        Side::Parent(_) => {
            // Only the zygote may hold the socket: the service takes its end for the zygote's end.
            // SAFETY: no descriptor is used from here on; the caller's is not either, because this never fails.
            unsafe { sys::close_all_but(&[]) }?;
            let ended = sys::wait(true)?.map_or(Exit::Status(0), |(_, exit, _)| exit);
            sys::exit_now(i32::from(ended != Exit::Status(0)))
        }
        Side::Child => {
            set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("prctl PR_SET_PDEATHSIG"))?;
            switch_root()?;
            limit_stack()?;
            let error = sys::execute(program.as_fd(), &[c"py-executor", SERVE], &environment());
            Err(io::Error::new(
                error.kind(),
                format!("cannot execute the service's program inside the runtime: {error}"),
            ))
        }
    }
}

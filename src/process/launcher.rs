//! From the host into the runtime: the first stage of a zygote, still under the host's C library.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Pid, Signal, fchdir, kill_process, set_parent_process_death_signal, setsid};

use super::{LOADER, NUMBERS, PROGRAM, RUNTIME, SERVE, SOCKET, environment};
use crate::ipc::ZygoteReply;
use crate::ipc::channel;
use crate::sandbox::privileges::LIBRARIES;
use crate::sandbox::{
    LastPid, Mechanism, Mechanisms, OomScore, SandboxError, enter_zygote_namespaces, join, limit_stack, set_oom_score,
    switch_root,
};
use crate::sys::{self, Exit, HeldSignals, Side};

/// Enters the namespaces, makes the runtime the root, as far as that is wanted, and executes this program again under the
/// runtime's own loader and C library, which Python's libraries need.
pub fn run(mechanisms: &Mechanisms) -> ExitCode {
    // SAFETY: the service starts this process with the socket there, and nothing else has taken it.
    let socket = unsafe { sys::inherited(SOCKET) };
    let Err(error) = launch(mechanisms);
    // If the service is gone, there is nobody to tell.
    let _ = channel::send_json(&socket, &ZygoteReply::Refused(vec![error]), &[]);
    ExitCode::FAILURE
}

fn launch(mechanisms: &Mechanisms) -> Result<Infallible, SandboxError> {
    let has = |mechanism| mechanisms.contains(&mechanism);
    // SAFETY: the service starts this process with them, and nothing else has taken them.
    let (runtime, mut program) = unsafe { (sys::inherited(RUNTIME), sys::inherited(PROGRAM)) };
    // A signal from the terminal is for the service, which ends its zygotes itself.
    setsid().map_err(SandboxError::fault("setsid"))?;
    fchdir(&runtime).map_err(SandboxError::fault("enter the runtime"))?;
    drop(runtime);
    if has(Mechanism::Rlimits) {
        set_oom_score(OomScore::Zygote)?;
        limit_stack()?;
    }
    if has(Mechanism::Namespaces) {
        if let Some(numbers) = LastPid::open() {
            // SAFETY: the service starts this process with the descriptors below this one only, and none was opened here.
            unsafe { sys::dup_to(&numbers, NUMBERS) }.map_err(SandboxError::fault("dup2"))?;
        }
        enter_zygote_namespaces()?;
        begin_pid_namespace()?;
    }
    if has(Mechanism::Root) {
        program = switch_root(&program)?;
    }
    execute(mechanisms, &program)
}

/// The PID namespace begins with the first child, which goes on. This process waits for its end, and ends as it did.
fn begin_pid_namespace() -> Result<(), SandboxError> {
    let failed = |step| SandboxError::at(Mechanism::Namespaces, step);
    // Whoever started the service may have it ignored.
    sys::wait_for_child_exits();
    let held = HeldSignals::hold().map_err(failed("sigprocmask"))?;
    // SAFETY: this process has not started a thread.
    match unsafe { sys::fork() }.map_err(failed("fork"))? {
        Side::Parent(zygote) => {
            // Only the zygote may hold the socket: the service takes its end for the zygote's end.
            // SAFETY: no descriptor is used from here on.
            let _ = unsafe { sys::close_all_but(&[]) };
            sys::exit_now(i32::from(wait_for_namespace(zygote, &held) != Exit::Status(0)))
        }
        Side::Child => {
            held.release().map_err(failed("sigprocmask"))?;
            set_parent_process_death_signal(Some(Signal::KILL))
                .map_err(SandboxError::at(Mechanism::Namespaces, "prctl PR_SET_PDEATHSIG"))
        }
    }
}

/// Waits until the init process of a PID namespace has ended, and all of the namespace with it: the kernel tells its parent
/// no earlier. Kills it on SIGTERM.
fn wait_for_namespace(init: Pid, held: &HeldSignals) -> Exit {
    loop {
        match sys::wait(false) {
            Ok(Some((_, exit, _))) => return exit,
            Ok(None) => {}
            Err(_) => return Exit::Status(0),
        }
        if held.wait() {
            let _ = kill_process(init, Signal::KILL);
        }
    }
}

fn execute(mechanisms: &Mechanisms, program: &OwnedFd) -> Result<Infallible, SandboxError> {
    let list = CString::new(join(mechanisms)).expect("names have no NUL");
    let error = if mechanisms.contains(&Mechanism::Root) {
        let environment = environment(mechanisms, None);
        sys::execute(program.as_fd(), &[c"py-executor", SERVE, &list], &environment)
    } else {
        let runtime = std::env::current_dir().map_err(SandboxError::fault("find the runtime's path"))?;
        // SAFETY: as for the program.
        let loader = unsafe { sys::inherited(LOADER) };
        execute_in_place(program, &loader, &runtime, &list, mechanisms)
    };
    Err(SandboxError::fault("execute the service's program inside the runtime")(error))
}

/// The host's root stays, so the program's own interpreter would be the host's: the runtime's is called by hand. It opens
/// the program by the number of its descriptor, which stays open across the execution.
fn execute_in_place(
    program: &OwnedFd,
    loader: &OwnedFd,
    runtime: &Path,
    list: &CString,
    mechanisms: &Mechanisms,
) -> io::Error {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::other);
    let libraries = match text(runtime.join(LIBRARIES).as_os_str().as_bytes()) {
        Ok(libraries) => libraries,
        Err(error) => return error,
    };
    let program = CString::new(format!("/proc/self/fd/{}", program.as_raw_fd())).expect("a number has no NUL");
    let arguments =
        [c"py-executor", c"--inhibit-cache", c"--library-path", &libraries, program.as_c_str(), SERVE, list.as_c_str()];
    sys::execute(loader.as_fd(), &arguments, &environment(mechanisms, Some(runtime)))
}

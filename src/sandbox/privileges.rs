//! What the service itself gives up before it serves anybody.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::cgroup::Subtree;
use super::{Mechanism, Mechanisms, SandboxError, dumpable};
use crate::sys;

/// User and group of the service when it was started as root: above every range that distributions hand out, below
/// `nobody`, who may own files.
const UNPRIVILEGED_ID: u32 = 65532;

/// The argument with which the service starts itself again where prctl(2) cannot hide it, followed by the number of a
/// descriptor of the program.
const HIDDEN: &CStr = c"hidden";

/// What starting a zygote takes. Opened before root is left: either may lie where only root can go.
#[derive(Debug)]
pub struct Installation {
    /// The runtime's directory.
    pub runtime: OwnedFd,
    /// This program, for everybody to read and execute.
    pub program: OwnedFd,
    /// The runtime's own loader, for where the runtime is not the root directory. Execute-only where that can be had,
    /// so that what it loads is hidden from its first instruction on.
    pub loader: OwnedFd,
    /// The part of the hierarchy of cgroups that is the service's, or why there is none.
    pub cgroups: Result<Subtree, SandboxError>,
    /// Why the service's memory is open to other processes of its user, if it is.
    pub exposed: Option<SandboxError>,
}

/// Why the service could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("there is no Python runtime at {path} ({source}): build one with `make layer`, or set EXECUTOR_RUNTIME", path = path.display())]
    Runtime { path: PathBuf, source: io::Error },
    #[error("cannot open the service's own program: {0}")]
    Program(io::Error),
    #[error("cannot leave root: {0}")]
    LeaveRoot(Errno),
}

/// Opens what will be needed, leaves root, and closes the service's memory to other processes. Must run while the
/// process has a single thread: the calls change the identity of the calling thread only, and the program may be started
/// again.
pub fn give_up(runtime: &Path, without: &Mechanisms) -> Result<Installation, PrepareError> {
    let missing = |source: io::Error| PrepareError::Runtime { path: runtime.to_owned(), source };
    let directory = open(runtime, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| missing(errno.into()))?;
    if !runtime.join("usr/bin/python3.13").exists() {
        return Err(missing(io::Error::new(io::ErrorKind::NotFound, "no usr/bin/python3.13 in it")));
    }
    let program = own_program().map_err(PrepareError::Program)?;
    let loader = loader(runtime).map_err(missing)?;
    let cgroups = if without.contains(&Mechanism::Cgroup) {
        Err(switched_off(Mechanism::Cgroup))
    } else {
        Subtree::take(geteuid().is_root().then(unprivileged))
    };
    leave_root().map_err(PrepareError::LeaveRoot)?;
    let exposed = if without.contains(&Mechanism::Dumpable) {
        Some(switched_off(Mechanism::Dumpable))
    } else {
        hide(&program).err()
    };
    raise_open_files();
    Ok(Installation { runtime: directory, program, loader, cgroups, exposed })
}

fn switched_off(mechanism: Mechanism) -> SandboxError {
    SandboxError::at(mechanism, "EXECUTOR_DISABLED_MECHANISMS")("not wanted")
}

/// Closes the service's memory to other processes: by asking the kernel, or by starting again from an execute-only file.
fn hide(program: &OwnedFd) -> Result<(), SandboxError> {
    let Err(refused) = dumpable::hide_from_tracers() else { return Ok(()) };
    if started_hidden().is_some() {
        // It has been tried already.
        return Err(refused);
    }
    let failed = |step| SandboxError::at(Mechanism::Dumpable, step);
    let readable = File::open(format!("/proc/self/fd/{}", program.as_raw_fd()));
    let copy = readable.and_then(|mut readable| dumpable::execute_only(&mut readable));
    let copy = copy.map_err(failed("make an execute-only copy of the program"))?;
    fcntl_setfd(program, FdFlags::empty()).map_err(io::Error::from).map_err(failed("fcntl F_SETFD"))?;
    let number = CString::new(program.as_raw_fd().to_string()).expect("a number has no NUL");
    let error = sys::execute_again(copy.as_fd(), &[c"py-executor", HIDDEN, &number]);
    Err(failed("execute the execute-only copy of the program")(error))
}

/// The descriptor of the program that [`hide`] left for the one that it started.
fn started_hidden() -> Option<RawFd> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [first, number] = arguments.as_slice() else { return None };
    (first.as_encoded_bytes() == HIDDEN.to_bytes()).then(|| number.to_str()?.parse().ok()).flatten()
}

/// The service needs some descriptors for each connection and each worker: it takes as many as it may.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Refused only where the limit is in place already.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

fn unprivileged() -> (Uid, Gid) {
    (Uid::from_raw(UNPRIVILEGED_ID), Gid::from_raw(UNPRIVILEGED_ID))
}

/// In a container root may be without any right, and then cannot leave; he is nobody special there, either.
fn leave_root() -> Result<(), Errno> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = unprivileged();
    let left = set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid));
    match left {
        Err(Errno::PERM) if !super::capabilities::has_any()? => {}
        result => result?,
    }
    rustix::process::chdir("/")
}

/// This program, executable by everybody: the file itself, or a copy in memory where the file is for its owner only.
fn own_program() -> io::Result<OwnedFd> {
    const EVERYBODY: u32 = 0o005;
    if let Some(number) = started_hidden() {
        let program = open(format!("/proc/self/fd/{number}"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        sys::close_on_exec(number)?;
        return Ok(program);
    }
    let mut file = File::open("/proc/self/exe")?;
    let mode = file.metadata()?.permissions().mode();
    if mode & EVERYBODY == EVERYBODY { Ok(file.into()) } else { dumpable::executable(&mut file) }
}

/// The runtime's loader, for which its own libc is the right one.
fn loader(runtime: &Path) -> io::Result<OwnedFd> {
    let path = runtime.join(LIBRARIES).join(LOADER);
    let mut file = File::open(path)?;
    Ok(match dumpable::execute_only(&mut file) {
        Ok(copy) => copy,
        Err(_) => file.into(),
    })
}

/// Where the runtime has its libraries, and its dynamic loader.
#[cfg(target_arch = "x86_64")]
pub const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
#[cfg(target_arch = "x86_64")]
const LOADER: &str = "ld-linux-x86-64.so.2";
#[cfg(target_arch = "aarch64")]
pub const LIBRARIES: &str = "usr/lib/aarch64-linux-gnu";
#[cfg(target_arch = "aarch64")]
const LOADER: &str = "ld-linux-aarch64.so.1";

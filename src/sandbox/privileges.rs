//! What the service itself gives up before it serves anybody.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::SandboxError;

/// User and group of the service when it was started as root: above every range that distributions hand out, below
/// `nobody`, who may own files.
const UNPRIVILEGED_ID: u32 = 65532;

/// What starting a zygote takes. Opened before root is left: either may lie where only root can go.
#[derive(Debug)]
pub struct Installation {
    /// The runtime's directory.
    pub runtime: OwnedFd,
    /// This program.
    pub program: OwnedFd,
}

/// Why the service could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("there is no Python runtime at {path} ({source}): build one with `make layer`, or set EXECUTOR_RUNTIME", path = path.display())]
    Runtime { path: PathBuf, source: io::Error },
    #[error("cannot open the service's own program: {0}")]
    Program(io::Error),
    #[error("cannot leave root: {0}")]
    LeaveRoot(rustix::io::Errno),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// Opens what will be needed, leaves root, and closes the service's memory to other processes. Must run while the
/// process has a single thread: the calls change the identity of the calling thread only.
pub fn give_up(runtime: &Path) -> Result<Installation, PrepareError> {
    let missing = |source: io::Error| PrepareError::Runtime { path: runtime.to_owned(), source };
    let directory = open(runtime, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| missing(errno.into()))?;
    if !runtime.join("usr/bin/python3.13").exists() {
        return Err(missing(io::Error::new(io::ErrorKind::NotFound, "no usr/bin/python3.13 in it")));
    }
    let program = own_program().map_err(PrepareError::Program)?;
    if geteuid().is_root() {
        leave_root().map_err(PrepareError::LeaveRoot)?;
    }
    super::hide_from_tracers()?;
    raise_open_files();
    Ok(Installation { runtime: directory, program })
}

/// The service needs some descriptors for each connection and each worker: it takes as many as it may.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Refused only where the limit is in place already.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

fn leave_root() -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(UNPRIVILEGED_ID), Gid::from_raw(UNPRIVILEGED_ID));
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    rustix::process::chdir("/")
}

/// This program, executable by everybody: the file itself, or a copy in memory where the file is for its owner only.
fn own_program() -> io::Result<OwnedFd> {
    const EVERYBODY: u32 = 0o005;
    let mut file = File::open("/proc/self/exe")?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata()?.permissions());
    if mode & EVERYBODY == EVERYBODY {
        return Ok(file.into());
    }
    let copy = memfd_create("py-executor", MemfdFlags::CLOEXEC)?;
    io::copy(&mut file, &mut File::from(copy.try_clone()?))?;
    rustix::fs::fchmod(&copy, Mode::from_raw_mode(0o555))?;
    // Executing a file that is open for writing fails with ETXTBSY: only the read-only descriptor may stay.
    let reopened = open(
        format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&copy)),
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    Ok(reopened)
}

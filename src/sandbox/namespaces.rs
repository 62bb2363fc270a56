//! Namespaces (namespaces(7)).
//!
//! A zygote has its own user, mount, PID, network, IPC and UTS namespaces: it is the init process of everything that
//! it forks, so that nothing survives it, and the network namespace has no interface but a loopback that is down.
//! Each monitor has a mount and a PID namespace of its own, in which it makes one worker after the other, each with an IPC
//! namespace and, when all mounts are made, a user namespace in which it is nobody special. The network and UTS
//! namespaces are shared by the workers of a zygote: making and destroying a network namespace costs more than everything
//! else together, and no worker can open a socket to reach another.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};
use rustix::thread::UnshareFlags;

use super::{Mechanism, SandboxError, dumpable};
use crate::sys;

/// The namespaces that each monitor has for itself from its first instruction.
pub const MONITOR_NAMESPACES: UnshareFlags = UnshareFlags::NEWNS.union(UnshareFlags::NEWPID);

/// Leaves the host's namespaces. The process is root in the new user namespace, and its first child is the init
/// process of the new PID namespace.
pub fn enter_zygote_namespaces() -> Result<(), SandboxError> {
    enter(
        UnshareFlags::NEWUSER
            | UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWNET
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWUTS,
        0,
    )?;
    let everything = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", everything).map_err(failed("make mounts private"))?;
    rustix::system::sethostname(b"sandbox").map_err(failed("sethostname"))
}

/// Enters a user namespace of its own, as user and group `id`: nothing outside of it grants it anything, and the limit
/// on processes counts this worker's alone.
pub fn enter_user_namespace(id: u32) -> Result<(), SandboxError> {
    enter(UnshareFlags::NEWUSER, id)
}

/// Leaves what the last worker could have shared with the next one, and by that ends it.
pub fn renew_ipc_namespace() -> Result<(), SandboxError> {
    sys::unshare(UnshareFlags::NEWIPC).map_err(failed("unshare"))
}

/// Lets the process numbers of a PID namespace begin anew, so that a worker cannot tell from its own how many there were
/// before it. The file means the namespace of whoever writes to it (proc_sys_kernel(5), ns_last_pid), but has to be opened
/// while /proc still has it.
pub struct LastPid(OwnedFd);

impl LastPid {
    /// `None` where the kernel does not offer it.
    pub fn open() -> Option<Self> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::open("/proc/sys/kernel/ns_last_pid", flags, Mode::empty()).ok().map(Self)
    }

    /// For an init process, which is number 1, and to be called when it is alone.
    pub fn begin(&self) -> io::Result<()> {
        Ok(rustix::io::pwrite(&self.0, b"1", 0).map(drop)?)
    }
}

impl AsFd for LastPid {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for LastPid {
    fn from(opened: OwnedFd) -> Self {
        Self(opened)
    }
}

fn enter(namespaces: UnshareFlags, id: u32) -> Result<(), SandboxError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    sys::unshare(namespaces).map_err(failed("unshare"))?;
    // The files of a process that is not dumpable belong to root, who is another user here if the process was forked.
    dumpable::with_dumpable(Mechanism::Namespaces, || {
        // An unprivileged process must give up setgroups(2) before it may map a group (user_namespaces(7)): where this
        // fails, the last step does. gVisor has no such rule, and no such file.
        let _ = write("/proc/self/setgroups", "deny");
        write("/proc/self/uid_map", &format!("{id} {uid} 1")).map_err(failed("write /proc/self/uid_map"))?;
        write("/proc/self/gid_map", &format!("{id} {gid} 1")).map_err(failed("write /proc/self/gid_map"))
    })
}

/// Writes to a file that must exist already.
fn write(path: &str, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

fn failed<E: std::fmt::Display>(step: &str) -> impl FnOnce(E) -> SandboxError + use<E> {
    SandboxError::at(Mechanism::Namespaces, step)
}

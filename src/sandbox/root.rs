//! The files that a script can see: the runtime, read-only, as root, and a few devices. `scratch` adds what is writable.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, StatVfsMountFlags, mkdir, open, statvfs, symlink};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, UnmountFlags, fsconfig_create, fsmount, fsopen, mount,
    mount_bind, mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::policy::DEVICES;
use super::{Mechanism, Policy, SandboxError};

/// Where the new root is mounted before it becomes the root: a directory that every host has.
const NEW_ROOT: &str = "/tmp";

pub(super) const NO_PRIVILEGES: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Makes the working directory, which is the runtime, the root of this mount namespace, read-only, with a fresh /proc
/// and a minimal /dev. Must run in a process of the new PID namespace.
///
/// The runtime is named by the working directory and not by its path: it may lie where this user cannot go, and
/// entering a mount namespace takes the working directory along.
pub fn switch_root() -> Result<(), SandboxError> {
    let failed = |step| SandboxError::at(Mechanism::Root, step);
    mount_bind(".", NEW_ROOT).map_err(failed("bind the runtime"))?;
    chdir(NEW_ROOT).map_err(failed("enter the runtime"))?;
    mount_devices()?;
    // Before the host's /proc goes: the kernel mounts a new one only where one is fully visible (mount_namespaces(7)).
    mount_proc(c"proc")?;
    make_read_only(c".")?;
    pivot_root(".", ".").map_err(failed("pivot_root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("unmount the host's root"))?;
    chdir("/").map_err(failed("enter the new root"))
}

/// Mounts the /proc that a guard's workers see.
pub fn mount_workers_proc(policy: &Policy) -> Result<(), SandboxError> {
    mount_proc(c"/proc")?;
    if policy.has(Mechanism::Landlock) { Ok(()) } else { hide_in_proc() }
}

/// Mounts /proc for this PID namespace. Where the kernel can (Linux 5.8), it is without what is not about processes: no
/// kernel settings, no machine figures; and a process sees only those that it could trace: a script its own, and not
/// its guard.
fn mount_proc(target: &CStr) -> Result<(), SandboxError> {
    let flags = NO_PRIVILEGES | MountFlags::NOEXEC;
    mount("proc", target, "proc", flags, c"subset=pid,hidepid=ptraceable")
        .or_else(|_| mount("proc", target, "proc", flags, c"hidepid=2"))
        .map_err(SandboxError::at(Mechanism::Root, "mount proc"))
}

/// Covers what scripts shall not read in /proc where Landlock does not keep them from it, and what gVisor shows in spite of
/// the options: the guard, which is process 1, and the kernel's settings. The guard's own look does not need them.
fn hide_in_proc() -> Result<(), SandboxError> {
    let failed = |step: &str| SandboxError::at(Mechanism::Root, &format!("cover {step}"));
    let flags = NO_PRIVILEGES | MountFlags::NOEXEC | MountFlags::RDONLY;
    for directory in ["/proc/1", "/proc/sys"] {
        match mount("covered", directory, "tmpfs", flags, c"size=4k,mode=0555") {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(directory)(errno)),
        }
    }
    match mount_bind("/dev/null", "/proc/cmdline") {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(failed("/proc/cmdline")(errno)),
    }
}

/// Another /proc of this PID namespace, mounted nowhere, that hides nothing (fsmount(2), Linux 5.2): for a guard, which
/// must see processes that have lost their main thread too. To be opened before the worker is made.
pub fn open_proc() -> Result<OwnedFd, SandboxError> {
    let failed = |step| SandboxError::at(Mechanism::Watchdog, step);
    let context = match fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC) {
        // gVisor has no such call, and its /proc hides nothing.
        Err(Errno::NOSYS) => {
            return open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(failed("open /proc"));
        }
        context => context.map_err(failed("fsopen proc"))?,
    };
    fsconfig_create(context.as_fd()).map_err(failed("fsconfig proc"))?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).map_err(failed("fsmount proc"))
}

fn mount_devices() -> Result<(), SandboxError> {
    let failed = |step: &str| SandboxError::at(Mechanism::Root, &format!("/dev: {step}"));
    mount("dev", "dev", "tmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, c"mode=0755,size=64k")
        .map_err(failed("mount tmpfs"))?;
    for device in DEVICES {
        let target = Path::new("dev").join(device);
        open(&target, OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR).map_err(failed(device))?;
        mount_bind(Path::new("/dev").join(device), &target).map_err(failed(device))?;
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(target, Path::new("dev").join(name)).map_err(failed(name))?;
    }
    mkdir("dev/shm", Mode::RWXU).map_err(failed("shm"))?;
    mount_remount("dev", MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC, c"")
        .map_err(failed("make read-only"))
}

/// A bind mount keeps the flags that the host has locked: they must be named again, or the kernel refuses.
fn make_read_only(target: &CStr) -> Result<(), SandboxError> {
    let failed = |step| SandboxError::at(Mechanism::Root, step);
    let locked = statvfs(target).map_err(failed("statvfs"))?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY | NO_PRIVILEGES;
    for (locked_flag, flag) in [
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if locked.contains(locked_flag) {
            flags |= flag;
        }
    }
    mount_remount(target, flags, c"").map_err(failed("make the runtime read-only"))
}

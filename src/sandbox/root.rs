//! The files that a script can see: the runtime, read-only, as root, and a few devices. `scratch` adds what is writable.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, StatVfsMountFlags, lstat, mkdir, open, readlink, statvfs, symlink};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, UnmountFlags, fsconfig_create, fsmount, fsopen, mount,
    mount_bind, mount_remount, unmount,
};
use rustix::path::Arg;
use rustix::process::{chdir, pivot_root};

use super::mechanism::Remedy;
use super::policy::DEVICES;
use super::{Mechanism, Policy, SandboxError};

/// Where the new root is mounted before it becomes the root: a directory that every host has.
const NEW_ROOT: &str = "/tmp";

/// Name of the program's copy.
const PROGRAM: &str = "py-executor";

/// Flags of what has to be a device.
const DEVICE: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);

pub(super) const NO_PRIVILEGES: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Makes the working directory, which is the runtime, the root of this mount namespace, read-only, with a fresh /proc
/// and a minimal /dev. Must run in a process of the new PID namespace.
///
/// The runtime is named by the working directory and not by its path: it may lie where this user cannot go, and
/// entering a mount namespace takes the working directory along.
///
/// Gives a copy of the program that can be executed in there.
pub fn switch_root(program: &OwnedFd) -> Result<OwnedFd, SandboxError> {
    let failed = |step| SandboxError::at(Mechanism::Root, step);
    mount_bind(".", NEW_ROOT).map_err(failed("bind the runtime"))?;
    chdir(NEW_ROOT).map_err(failed("enter the runtime"))?;
    mount_devices()?;
    let program = copy_program(program)?;
    // Before the host's /proc goes: the kernel mounts a new one only where one is fully visible (mount_namespaces(7)).
    mount_proc(c"proc", WHOLE_PROC)?;
    remount(c".", NO_PRIVILEGES | MountFlags::RDONLY).map_err(failed("make the runtime read-only"))?;
    pivot_root(".", ".").map_err(failed("pivot_root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("unmount the host's root"))?;
    chdir("/").map_err(failed("enter the new root"))?;
    Ok(program)
}

/// Mounts the /proc that a monitor's workers see.
pub fn mount_workers_proc(policy: &Policy) -> Result<(), SandboxError> {
    mount_proc(c"/proc", WORKERS_PROC)?;
    read_links_of_proc()?;
    if policy.has(Mechanism::Landlock) { Ok(()) } else { hide_in_proc() }
}

/// Reads the links of /proc that everybody uses. The kernel notes the time of the first use that is later than the link, and of none in
/// the day after that (relatime in mount(8)), so that no script's is noted: the next one could tell. A mount without times is refused
/// where the host's has some (MNT_LOCK_ATIME in fs/namespace.c).
fn read_links_of_proc() -> Result<(), SandboxError> {
    /// Longer than the kernel's clock stands still between two ticks.
    const LONGEST: Duration = Duration::from_millis(20);
    let failed = |errno| SandboxError::at(Mechanism::Root, "read the links of /proc")(errno);
    if statvfs("/proc").map_err(failed)?.f_flag.contains(StatVfsMountFlags::NOATIME) {
        return Ok(());
    }
    let begun = Instant::now();
    for link in ["/proc/thread-self", "/proc/self"] {
        loop {
            match readlink(link, Vec::new()) {
                Ok(_) => {}
                // gVisor, which notes no time of use, has no such link.
                Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return Err(failed(errno)),
            }
            let stat = lstat(link).map_err(failed)?;
            let is_noted = (stat.st_atime, stat.st_atime_nsec) > (stat.st_mtime, stat.st_mtime_nsec);
            if is_noted || begun.elapsed() > LONGEST {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// Options of the zygotes' /proc, which no script sees: each monitor covers it. It must be a whole one, because the kernel lets a
/// monitor mount another one only where it finds a whole one. Until Linux 7.1 one with `subset=pid` passed for that.
const WHOLE_PROC: &CStr = c"hidepid=ptraceable";

/// Options of the /proc that scripts see. It is without what is not about processes: no kernel settings, no machine figures; and
/// a process sees only those that it could trace: a script its own, and not its monitor.
const WORKERS_PROC: &CStr = c"subset=pid,hidepid=ptraceable";

/// Mounts /proc for this PID namespace, with these options if the kernel knows them (Linux 5.8). A PID namespace without one
/// would be of no use to the watchdog: where the kernel refuses it, as in a container that covers parts of its /proc, there are no
/// namespaces.
fn mount_proc(target: &CStr, options: &CStr) -> Result<(), SandboxError> {
    let flags = NO_PRIVILEGES | MountFlags::NOEXEC;
    mount("proc", target, "proc", flags, options)
        .or_else(|_| mount("proc", target, "proc", flags, c"hidepid=2"))
        .map_err(SandboxError::at(Mechanism::Namespaces, "mount proc"))
        .map_err(|error| error.remedied_by(Remedy::WholeProc))
}

/// Covers what scripts shall not read in /proc where Landlock does not keep them from it, and what gVisor shows in spite of
/// the options: the monitor, which is process 1, and the kernel's settings. The monitor's own look does not need them.
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

/// A /proc that shows a monitor all that its worker makes.
pub struct Proc {
    pub directory: OwnedFd,
    /// Whether the worker's own /proc hides the monitor, with all of its threads.
    pub hides_monitor: bool,
}

impl Proc {
    /// The /proc that is mounted.
    pub fn mounted(hides_monitor: bool) -> Result<Self, SandboxError> {
        let directory = open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Ok(Self { directory: directory.map_err(SandboxError::at(Mechanism::Watchdog, "open /proc"))?, hides_monitor })
    }

    /// Another /proc of this PID namespace, mounted nowhere, that hides nothing (fsmount(2), Linux 5.2). To be opened before the
    /// worker is made.
    ///
    /// The worker's /proc would not do: it lacks the list of record locks, and processes that have lost their main thread. So a
    /// host that refuses another one is treated like one without namespaces, where the host's own /proc is used.
    pub fn of_namespace() -> Result<Self, SandboxError> {
        let failed = |step| SandboxError::at(Mechanism::Namespaces, step);
        let context = match fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC) {
            // gVisor has no such call, and its /proc hides nothing, neither from a monitor nor from a script. A filter may give
            // the same answer on Linux, where the options of the worker's /proc have hidden this file.
            Err(Errno::NOSYS) if Path::new("/proc/uptime").exists() => return Self::mounted(false),
            context => context.map_err(failed("fsopen proc"))?,
        };
        fsconfig_create(context.as_fd()).map_err(failed("fsconfig proc"))?;
        let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty());
        Ok(Self { directory: mount.map_err(failed("fsmount proc"))?, hides_monitor: true })
    }
}

fn mount_devices() -> Result<(), SandboxError> {
    let failed = |step: &str| SandboxError::at(Mechanism::Root, &format!("/dev: {step}"));
    mount("dev", "dev", "tmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, c"mode=0755,size=64k")
        .map_err(failed("mount tmpfs"))?;
    for device in DEVICES {
        let target = Path::new("dev").join(device);
        open(&target, OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR).map_err(failed(device))?;
        mount_bind(Path::new("/dev").join(device), &target).map_err(failed(device))?;
        // It can be read and written all the same; what cannot be changed is the host's inode, such as its times.
        remount(&target, DEVICE | MountFlags::RDONLY).map_err(failed(device))?;
        // In gVisor it cannot. The inode is not the host's there.
        let opened = open(&target, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        if matches!(opened, Err(Errno::ROFS)) {
            remount(&target, DEVICE).map_err(failed(device))?;
        }
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(target, Path::new("dev").join(name)).map_err(failed(name))?;
    }
    mkdir("dev/shm", Mode::RWXU).map_err(failed("shm"))?;
    mount_remount("dev", MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC, c"")
        .map_err(failed("make read-only"))
}

/// Gives a bind mount other flags. It keeps those that the host has locked: they must be named again, or the kernel refuses.
fn remount(target: impl Arg + Copy, flags: MountFlags) -> rustix::io::Result<()> {
    let locked = statvfs(target)?.f_flag;
    let mut flags = flags | MountFlags::BIND;
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
    mount_remount(target, flags, c"")
}

/// Copies the service's program into a file system of its own, which is then read-only and mounted nowhere. The link
/// /proc/self/exe of all that comes of it names no path of the host, and leads to nothing that a script could change: the
/// mode or the times of the host's file, where the service's user owns it.
fn copy_program(program: &OwnedFd) -> Result<OwnedFd, SandboxError> {
    /// A directory of the runtime that is empty.
    const STAGE: &str = "run";
    if fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).err() == Some(Errno::NOSYS) {
        // In gVisor that link leads past the flags of mounts, and the service's user would own the copy.
        return program.try_clone().map_err(SandboxError::fault("dup"));
    }
    let at = |step: &str| format!("copy the program: {step}");
    let failed = |step| SandboxError::at::<Errno>(Mechanism::Root, &at(step));
    let failed_io = |step| SandboxError::at::<io::Error>(Mechanism::Root, &at(step));
    let mut source = File::open(format!("/proc/self/fd/{}", program.as_raw_fd())).map_err(failed_io("open"))?;
    mount("program", STAGE, "tmpfs", NO_PRIVILEGES, c"mode=0755").map_err(failed("mount tmpfs"))?;
    let path = Path::new(STAGE).join(PROGRAM);
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let everybody = Mode::from_raw_mode(0o555);
    let copy = open(&path, flags, everybody).map_err(failed("create"))?;
    io::copy(&mut source, &mut File::from(copy)).map_err(failed_io("write"))?;
    // By this descriptor it can be executed, and nothing else.
    let copy = open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(failed("open the copy"))?;
    remount(Path::new(STAGE), NO_PRIVILEGES | MountFlags::RDONLY).map_err(failed("make read-only"))?;
    unmount(STAGE, UnmountFlags::DETACH).map_err(failed("unmount"))?;
    Ok(copy)
}

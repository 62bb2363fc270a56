//! The files and processes that the command sees.

use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};
use rustix::process::umask;
use rustix::thread::UnshareFlags;

use crate::failure::{Attempt, Failure};
use crate::kept::{Kept, Replaced};
use crate::kind::{Temporary, World};
use crate::sys;

/// Turns this mount namespace into a world of its own, of which the project is still a part.
pub fn make(world: &World, program: &Path) -> Result<(), Failure> {
    let here = std::env::current_dir().attempt("the working directory")?;
    umask(Mode::WGRP | Mode::WOTH);
    detach()?;
    let covers = world.temporaries.iter().map(|temporary| Replaced::Fresh(temporary.path.into()));
    let kept = Kept::hold(program, covers.collect())?;
    sys::set_attributes_of_all_mounts(world.machine).attempt("mount_setattr")?;
    for temporary in world.temporaries {
        fill(temporary)?;
    }
    for (link, target) in world.links {
        std::os::unix::fs::symlink(target, link).attempt(link)?;
    }
    mount_proc(world)?;
    kept.put_back()?;
    // By its name again: what the process held until now may lie below a fresh file system.
    std::env::set_current_dir(&here).or_else(|_| std::env::set_current_dir("/")).attempt("chdir")
}

/// Lets an ordinary user reach the project where it lies in somebody's private directory.
pub fn open_the_way(program: &Path) -> Result<(), Failure> {
    if Kept::is_in_reach(program)? {
        return Ok(());
    }
    sys::unshare(UnshareFlags::NEWNS).attempt("unshare")?;
    detach()?;
    Kept::hold(program, Vec::new())?.put_back()
}

/// No change here shows outside.
fn detach() -> Result<(), Failure> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).attempt("mount --make-rprivate /")
}

fn fill(temporary: &Temporary) -> Result<(), Failure> {
    let path = Path::new(temporary.path);
    // Only /dev/shm, in a fresh /dev, is not there yet.
    if !path.exists() {
        std::fs::create_dir(path).attempt(temporary.path)?;
    }
    let nodev = if temporary.devices.is_empty() { MountFlags::NODEV } else { MountFlags::NOEXEC };
    mount("tmpfs", path, "tmpfs", MountFlags::NOSUID | nodev, temporary.options).attempt(temporary.path)?;
    for device in temporary.devices {
        let path = path.join(device.name);
        let everybody = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        let number = makedev(device.major, device.minor);
        mknodat(CWD, &path, FileType::CharacterDevice, everybody, number).attempt(path.display())?;
        rustix::fs::chmod(&path, everybody).attempt(path.display())?;
    }
    Ok(())
}

fn mount_proc(world: &World) -> Result<(), Failure> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).attempt("/proc")?;
    for name in world.proc_read_only {
        let path = Path::new("/proc").join(name);
        if path.exists() {
            mount_bind(&path, &path).attempt(path.display())?;
            mount_remount(&path, MountFlags::BIND | MountFlags::RDONLY | flags, "").attempt(path.display())?;
        }
    }
    Ok(())
}

//! The files and processes that the command sees.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, open};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};
use rustix::process::umask;
use rustix::thread::UnshareFlags;

use crate::failure::{Attempt, Failure};
use crate::kept::{Kept, Replaced};
use crate::kind::{Temporary, World};
use crate::sys;

/// A directory that the command sees in another place.
pub struct Bind {
    pub from: PathBuf,
    pub to: PathBuf,
}

impl Bind {
    /// What it takes a fresh file system to make a place in.
    fn covers(&self) -> Option<&Path> {
        self.to.parent().filter(|_| !self.to.exists())
    }

    fn hold(&self) -> Result<OwnedFd, Failure> {
        open(&self.from, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).attempt(self.from.display())
    }

    fn put(&self, held: &OwnedFd) -> Result<(), Failure> {
        if let Some(parent) = self.covers() {
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            mount("tmpfs", parent, "tmpfs", flags, c"mode=755,size=64k").attempt(parent.display())?;
            std::fs::create_dir(&self.to).attempt(self.to.display())?;
        }
        mount_bind(format!("/proc/self/fd/{}", held.as_raw_fd()), &self.to).attempt(self.to.display())
    }
}

/// Turns this mount namespace into a world of its own, of which the project is still a part.
pub fn make(world: &World, binds: &[Bind], program: &Path) -> Result<(), Failure> {
    let here = std::env::current_dir().attempt("the working directory")?;
    umask(Mode::WGRP | Mode::WOTH);
    detach()?;
    let covers = world.temporaries.iter().map(|temporary| Replaced::Fresh(temporary.path.into()));
    let covers = covers.chain(binds.iter().filter_map(|bind| Some(Replaced::Fresh(bind.covers()?.into()))));
    let kept = Kept::hold(program, covers.collect())?;
    let held = binds.iter().map(Bind::hold).collect::<Result<Vec<_>, _>>()?;
    binds.iter().zip(&held).try_for_each(|(bind, held)| bind.put(held))?;
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

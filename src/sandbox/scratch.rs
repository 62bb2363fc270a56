//! The scratch space: all that a script can write to. A tmpfs of its own where a worker has a mount namespace, a
//! directory of its own elsewhere.

mod abandoned;
mod trace;
mod tree;

use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, mkdir, rename, rmdir, statvfs, unlinkat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use rustix::process::chdir;

use super::mechanism::Remedy;
use super::policy::{SCRATCH, SHARED_MEMORY};
use super::root::NO_PRIVILEGES;
use super::{Mechanism, Policy, SandboxError};
pub use abandoned::remove_abandoned;
use abandoned::{PREFIX, mark_as_used};
use trace::{Trace, next_inode};
use tree::{counted, empty, open_directory};

/// Bytes that the kernel keeps for a file of a tmpfs at the worst, besides its pages: the inode (752), an entry of its directory
/// with the longest name (704), three nodes of a tree for a page far behind its beginning (1,752), and what record locks leave.
const INODE_BYTES: u64 = 3584;

/// One worker's scratch space, as its monitor sees it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    kind: Kind,
    owner: Owner,
}

/// Owner of the files in a scratch space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A script, whose files stay where there is no sweep.
    Script,
    /// A probe. Nothing of it may stay: many starts that are refused, one after the other, would fill the host's /tmp.
    Probe,
}

#[derive(Debug)]
enum Kind {
    /// Its size is a limit of the file system.
    Tmpfs { as_made: Trace, is_younger_than_tick: Cell<bool>, last_inode: Cell<Option<u64>> },
    /// A tmpfs of gVisor, which has no limit on inodes.
    TmpfsWithoutInodeLimit,
    /// Its size is watched, and it is emptied by hand.
    Directory { opened: OwnedFd, free_at_first: Cell<Free> },
}

/// What a file system still has room for.
#[derive(Debug, Clone, Copy)]
struct Free {
    bytes: u64,
    inodes: u64,
}

/// How much of its scratch space a worker uses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub bytes: u64,
    pub inodes: u64,
}

impl Scratch {
    /// Makes the scratch space and enters it.
    pub fn make(policy: &Policy, owner: Owner) -> Result<Self, SandboxError> {
        let scratch = if policy.has(Mechanism::Scratch) {
            Self { path: SCRATCH.into(), kind: mount_tmpfs(policy)?, owner }
        } else {
            Self::directory(policy.scratch_parent(), owner)?
        };
        scratch.enter()?;
        Ok(scratch)
    }

    pub fn enter(&self) -> Result<(), SandboxError> {
        chdir(&self.path).map_err(failed("enter the scratch directory"))
    }

    /// A directory whose name cannot be guessed: a script that knew it could tell by stat(2), which no Landlock rule is
    /// about, what another one does in there.
    fn directory(parent: &Path, owner: Owner) -> Result<Self, SandboxError> {
        let name = random_name().map_err(failed("getrandom"))?;
        let path = parent.join(format!("{PREFIX}{name}"));
        // It gets its name when it is marked, so that no service that starts at this moment takes it for abandoned.
        let unmarked = make_directory(parent, &format!("{PREFIX}{name}.new"))?;
        let opened = open_directory(CWD, &unmarked).map_err(failed("open the directory"))?;
        mark_as_used(&opened).map_err(failed("lock the directory"))?;
        rename(&unmarked, &path).map_err(failed("rename the directory"))?;
        let free_at_first = Cell::new(Free::of(&path).map_err(failed("statvfs"))?);
        Ok(Self { path, kind: Kind::Directory { opened, free_at_first }, owner })
    }

    /// A worker is ready: from now on what is used is its job's.
    pub fn begin(&self) {
        match &self.kind {
            Kind::Directory { free_at_first, .. } => {
                if let Ok(free) = Free::of(&self.path) {
                    free_at_first.set(free);
                }
            }
            Kind::Tmpfs { as_made, is_younger_than_tick, .. } => is_younger_than_tick.set(!as_made.is_past()),
            Kind::TmpfsWithoutInodeLimit => {}
        }
    }

    /// Whether no job has left any trace in it: neither a file, nor the time of one that it has removed. When nothing of
    /// the job runs any more, the scratch space can be used again if this is so.
    pub fn is_untouched(&self) -> bool {
        match &self.kind {
            Kind::Tmpfs { as_made, is_younger_than_tick, last_inode } => {
                let same = !is_younger_than_tick.get() && Trace::find().is_ok_and(|now| now == *as_made);
                let next = next_inode();
                let expected = last_inode.replace(next).map(|last| last + 1);
                same && next.is_some() && next == expected
            }
            Kind::TmpfsWithoutInodeLimit | Kind::Directory { .. } => false,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Room that the file system has lost since the job began, which is cheap to ask and counts what others use too. Nothing
    /// for a tmpfs of the worker's own, which bounds itself.
    pub fn taken(&self) -> Usage {
        match &self.kind {
            Kind::Tmpfs { .. } | Kind::TmpfsWithoutInodeLimit => Usage::default(),
            Kind::Directory { free_at_first, .. } => {
                let Ok(free) = Free::of(&self.path) else { return Usage { bytes: u64::MAX, inodes: u64::MAX } };
                // What others give back meanwhile is not for this script to take.
                free_at_first.set(free_at_first.get().or_more(free));
                free_at_first.get().less(free)
            }
        }
    }

    /// Whether so much room has been taken that what is in the scratch space has to be counted.
    pub fn may_be_full(&self, policy: &Policy, taken: Usage) -> bool {
        matches!(self.kind, Kind::TmpfsWithoutInodeLimit) || taken.exceeds(policy)
    }

    /// What another thread needs to count what is in the scratch space.
    pub fn counter(&self) -> Counter {
        match &self.kind {
            Kind::Tmpfs { .. } => Counter { directory: None },
            Kind::TmpfsWithoutInodeLimit => Counter { directory: Some(open_directory(CWD, &self.path)) },
            Kind::Directory { opened, .. } => Counter { directory: Some(rustix::io::dup(opened)) },
        }
    }

    /// Bytes of memory that the files take: those of a tmpfs.
    pub fn memory(&self) -> u64 {
        match self.kind {
            Kind::Tmpfs { .. } => statvfs(&self.path).map_or(0, |stat| {
                (stat.f_blocks - stat.f_bfree) * stat.f_frsize + (stat.f_files - stat.f_ffree) * INODE_BYTES
            }),
            Kind::TmpfsWithoutInodeLimit => {
                statvfs(&self.path).map_or(0, |stat| (stat.f_blocks - stat.f_bfree) * stat.f_frsize)
            }
            // Its limit is far below the memory's, and whether it lies in memory is not known.
            Kind::Directory { .. } => 0,
        }
    }

    /// Removes what a script has left. Nothing of it may run any more.
    pub fn wipe(&self, policy: &Policy) -> io::Result<()> {
        match &self.kind {
            Kind::Tmpfs { .. } | Kind::TmpfsWithoutInodeLimit => {
                unmount(SCRATCH, UnmountFlags::DETACH)?;
                Ok(unmount(SHARED_MEMORY, UnmountFlags::DETACH)?)
            }
            Kind::Directory { opened, .. } => {
                let is_swept = policy.has(Mechanism::Sweep);
                if self.owner == Owner::Probe || is_swept && !policy.sweeps_tmp() {
                    empty(opened, &self.path)?;
                    unlinkat(CWD, &self.path, AtFlags::REMOVEDIR)?;
                }
                if policy.sweeps_tmp() { empty_tmp() } else { Ok(()) }
            }
        }
    }
}

/// Counts files with a name in a scratch space.
pub struct Counter {
    /// None where nothing has to be counted.
    directory: Option<rustix::io::Result<OwnedFd>>,
}

impl Counter {
    /// Adds up what is there. What cannot be looked into counts as too much; None where a tmpfs bounds itself.
    pub fn count(&self, policy: &Policy) -> Option<Usage> {
        let opened = match self.directory.as_ref()? {
            _ if policy.sweeps_tmp() => open_directory(CWD, SCRATCH),
            Ok(directory) => open_directory(directory, "."),
            Err(errno) => Err(*errno),
        };
        Some(opened.map_or(Usage { bytes: u64::MAX, inodes: u64::MAX }, |directory| counted(directory, policy)))
    }
}

impl Usage {
    /// Compares it with what a scratch space may hold.
    pub fn exceeds(&self, policy: &Policy) -> bool {
        self.bytes > policy.scratch_bytes || self.inodes > policy.scratch_inodes
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), inodes: self.inodes.saturating_add(other.inodes) }
    }
}

impl Free {
    fn of(path: &Path) -> rustix::io::Result<Self> {
        let stat = statvfs(path)?;
        Ok(Self { bytes: stat.f_bfree * stat.f_frsize, inodes: stat.f_ffree })
    }

    fn or_more(self, now: Self) -> Self {
        Self { bytes: self.bytes.max(now.bytes), inodes: self.inodes.max(now.inodes) }
    }

    fn less(self, now: Self) -> Usage {
        Usage { bytes: self.bytes.saturating_sub(now.bytes), inodes: self.inodes.saturating_sub(now.inodes) }
    }
}

/// Mounts /tmp and /dev/shm of a worker. They are one file system, with one limit.
fn mount_tmpfs(policy: &Policy) -> Result<Kind, SandboxError> {
    /// Holds the file system while its two halves are bound to their places.
    const STAGE: &str = "/run";
    let size = format!("mode=0700,size={}", policy.scratch_bytes);
    // A page that a socket holds is to be no part of a larger one.
    let small_pages = format!("{size},huge=never,nr_inodes={}", policy.scratch_inodes);
    let mount_with = |options: &str| {
        let options = CString::new(options).expect("numbers have no NUL");
        // That somebody has looked into a directory is not to be seen.
        mount("scratch", STAGE, "tmpfs", NO_PRIVILEGES | MountFlags::NOATIME, options.as_c_str())
    };
    let has_inode_limit = match mount_with(&small_pages) {
        // gVisor knows neither option.
        Err(Errno::INVAL) => mount_with(&size).map(|()| false),
        mounted => mounted.map(|()| true),
    };
    let has_inode_limit = has_inode_limit.map_err(failed("mount tmpfs"))?;
    for (half, target) in [("/run/tmp", SCRATCH), ("/run/shm", SHARED_MEMORY)] {
        mkdir(half, Mode::RWXU).map_err(failed("mkdir"))?;
        mount_bind(half, target).map_err(failed("bind"))?;
    }
    unmount(STAGE, UnmountFlags::DETACH).map_err(failed("unmount the stage"))?;
    if !has_inode_limit {
        return Ok(Kind::TmpfsWithoutInodeLimit);
    }
    let as_made = Trace::find().map_err(failed("stat"))?;
    Ok(Kind::Tmpfs { as_made, is_younger_than_tick: Cell::new(true), last_inode: Cell::new(next_inode()) })
}

/// Empties /tmp, where it belongs to scripts as a whole.
pub fn empty_tmp() -> io::Result<()> {
    empty(&open_directory(CWD, SCRATCH)?, Path::new(SCRATCH))
}

/// Places for scratch spaces if nobody names one, from the best to the last: the first is what scripts expect, the
/// second is in memory, and the third may be on a disk.
const PARENTS: [&str; 3] = [SCRATCH, SHARED_MEMORY, "/var/tmp"];

/// The first place that a scratch space can be made in, and why it is none of those before.
pub fn find_parent() -> Result<(PathBuf, Option<SandboxError>), SandboxError> {
    let name = random_name().map_err(failed("getrandom"))?;
    let mut refused = None;
    for parent in PARENTS {
        match make_directory(Path::new(parent), &format!("{PREFIX}{name}"))
            .and_then(|path| rmdir(&path).map_err(failed("rmdir")))
        {
            Ok(()) => return Ok((parent.into(), refused)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| SandboxError::at(Mechanism::Scratch, "mkdir")("there is no place")))
}

fn make_directory(parent: &Path, name: &str) -> Result<PathBuf, SandboxError> {
    let path = parent.join(name);
    mkdir(&path, Mode::RWXU)
        .map_err(failed(&format!("mkdir in {}", parent.display())))
        .map_err(|error| error.remedied_by(Remedy::WritableDirectory))?;
    Ok(path)
}

fn random_name() -> rustix::io::Result<String> {
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("{:032x}", u128::from_ne_bytes(random)))
}

fn failed(step: &str) -> impl FnOnce(Errno) -> SandboxError {
    SandboxError::at(Mechanism::Scratch, step)
}

//! The scratch space: all that a script can write to. A tmpfs of its own where a worker has a mount namespace, a
//! directory of its own elsewhere.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, chmod, fchmod, fstat, mkdir, open, openat, renameat, stat, statat,
    statvfs, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use rustix::process::chdir;
use rustix::time::{ClockId, clock_gettime};

use super::policy::{SCRATCH, SHARED_MEMORY};
use super::root::NO_PRIVILEGES;
use super::{Mechanism, Policy, SandboxError};

/// One worker's scratch space, as its guard sees it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Its size is a limit of the file system.
    Tmpfs { as_made: Trace, is_younger_than_tick: Cell<bool>, last_inode: Cell<u64> },
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
    pub fn make(policy: &Policy) -> Result<Self, SandboxError> {
        let scratch = if policy.has(Mechanism::Scratch) {
            Self { path: SCRATCH.into(), kind: mount_tmpfs(policy)? }
        } else {
            Self::directory()?
        };
        scratch.enter()?;
        Ok(scratch)
    }

    pub fn enter(&self) -> Result<(), SandboxError> {
        chdir(&self.path).map_err(failed("enter the scratch directory"))
    }

    /// A directory whose name cannot be guessed: a script that knew it could tell by stat(2), which no Landlock rule is
    /// about, what another one does in there.
    fn directory() -> Result<Self, SandboxError> {
        let name = random_name().map_err(failed("getrandom"))?;
        let path = Path::new(SCRATCH).join(format!("py-executor-{name}"));
        mkdir(&path, Mode::RWXU).map_err(failed("mkdir in /tmp"))?;
        let opened = open_directory(CWD, &path).map_err(failed("open the directory"))?;
        let free_at_first = Cell::new(Free::of(&path).map_err(failed("statvfs"))?);
        Ok(Self { path, kind: Kind::Directory { opened, free_at_first } })
    }

    /// A job begins: from now on what is used is its own.
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
                !is_younger_than_tick.get()
                    && Trace::find().is_ok_and(|now| now == *as_made)
                    && next_inode().is_ok_and(|next| last_inode.replace(next) + 1 == next)
            }
            Kind::TmpfsWithoutInodeLimit | Kind::Directory { .. } => false,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How much is used, files without a name not included: `None` if that is clearly within the limits.
    ///
    /// Asking the file system how much less room it has is cheap, and counts what others use too. Only where that is
    /// more than this script may use, what is in the directory is counted.
    pub fn usage(&self, policy: &Policy) -> Option<Usage> {
        match &self.kind {
            Kind::Tmpfs { .. } => None,
            Kind::TmpfsWithoutInodeLimit => Some(counted(open_directory(CWD, &self.path).ok()?, policy)),
            Kind::Directory { opened, free_at_first } => {
                let free = Free::of(&self.path).ok()?;
                // What others give back meanwhile is not for this script to take.
                free_at_first.set(free_at_first.get().or_more(free));
                let taken = free_at_first.get().less(free);
                let little = taken.bytes <= policy.scratch_bytes && taken.inodes <= policy.scratch_inodes;
                if little {
                    return None;
                }
                let all = policy.sweeps_tmp().then(|| open_directory(CWD, SCRATCH));
                Some(counted(all.unwrap_or_else(|| rustix::io::dup(opened)).ok()?, policy))
            }
        }
    }

    /// Bytes of memory that the files take: those of a tmpfs.
    pub fn memory(&self) -> u64 {
        match self.kind {
            Kind::Tmpfs { .. } | Kind::TmpfsWithoutInodeLimit => {
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
            Kind::Directory { .. } if !policy.has(Mechanism::Sweep) => Ok(()),
            Kind::Directory { .. } if policy.sweeps_tmp() => empty_tmp(),
            Kind::Directory { opened, .. } => {
                empty(opened)?;
                Ok(unlinkat(CWD, &self.path, AtFlags::REMOVEDIR)?)
            }
        }
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
    let mount_with = |options: &str| {
        let options = CString::new(options).expect("numbers have no NUL");
        // That somebody has looked into a directory is not to be seen.
        mount("scratch", STAGE, "tmpfs", NO_PRIVILEGES | MountFlags::NOATIME, options.as_c_str())
    };
    let has_inode_limit = match mount_with(&format!("{size},nr_inodes={}", policy.scratch_inodes)) {
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
    let last_inode = Cell::new(next_inode().map_err(failed("open a file without a name"))?);
    Ok(Kind::Tmpfs { as_made, is_younger_than_tick: Cell::new(true), last_inode })
}

/// The number of an inode that is made and gone. A tmpfs with a limit on inodes counts its own (Linux 5.9), so this tells
/// whether files without a name were made, which change nothing about the directory.
fn next_inode() -> rustix::io::Result<u64> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(fstat(open(SCRATCH, flags, Mode::RUSR)?)?.st_ino)
}

/// All that can be told of a scratch space in which there is no file.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    /// Mode and times of both halves. Whatever is made, renamed, removed or set in a directory, also its own times, changes
    /// its ctime (inode(7)), which nobody can set.
    halves: [Half; 2],
    free_blocks: u64,
    free_inodes: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Half {
    mode: u32,
    accessed: [i64; 2],
    modified: [i64; 2],
    changed: [i64; 2],
}

impl Half {
    fn of(path: &str) -> rustix::io::Result<Self> {
        let stat = stat(path)?;
        Ok(Self {
            mode: stat.st_mode,
            accessed: [stat.st_atime, stat.st_atime_nsec.cast_signed()],
            modified: [stat.st_mtime, stat.st_mtime_nsec.cast_signed()],
            changed: [stat.st_ctime, stat.st_ctime_nsec.cast_signed()],
        })
    }
}

impl Trace {
    fn find() -> rustix::io::Result<Self> {
        let stat = statvfs(SCRATCH)?;
        let halves = [Half::of(SCRATCH)?, Half::of(SHARED_MEMORY)?];
        Ok(Self { halves, free_blocks: stat.f_bfree, free_inodes: stat.f_ffree })
    }

    /// Whether a change of now would get another time: the kernel's clock for that ticks every few milliseconds.
    fn is_past(&self) -> bool {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        self.halves.iter().all(|half| half.changed < [now.tv_sec, now.tv_nsec])
    }
}

/// Empties /tmp, where it belongs to scripts as a whole.
pub fn empty_tmp() -> io::Result<()> {
    empty(&open_directory(CWD, SCRATCH)?)
}

/// Removes everything in a directory, in which nothing runs any more. No link is followed, and neither a depth of
/// directories nor one without rights stops it.
fn empty(top: &OwnedFd) -> io::Result<()> {
    // Only its owner can have taken his own rights away.
    let _ = fchmod(top, Mode::RWXU);
    // A script must not have guessed the new names.
    let mut names = (0..).map({
        let random = random_name()?;
        move |number| format!("{random}.{number}")
    });
    let device = fstat(top)?.st_dev;
    // A directory that is mounted in it is not a script's. Files tell nothing: on overlayfs each may have a device of its
    // layer's.
    let is_mounted = |name: &CStr| {
        statat(top, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory && stat.st_dev != device)
    };
    loop {
        let mut found = entries(top)?;
        found.retain(|(name, _)| !is_mounted(name));
        if found.is_empty() {
            return Ok(());
        }
        clear(top, top, found, 0, &mut names)?;
    }
}

/// Directories are cleared one in the other down to this depth; what is deeper is moved to the top, to be cleared in the
/// next round.
const MAX_DEPTH: usize = 64;

fn clear(
    top: &OwnedFd,
    directory: &OwnedFd,
    found: Vec<(CString, FileType)>,
    depth: usize,
    new_names: &mut impl Iterator<Item = String>,
) -> io::Result<()> {
    for (name, kind) in found {
        if kind != FileType::Directory {
            unlinkat(directory, &*name, AtFlags::empty())?;
            continue;
        }
        let remove = || unlinkat(directory, &*name, AtFlags::REMOVEDIR);
        if remove().is_ok() {
            continue;
        }
        // Also to move it its rights are needed: its parent is an entry of it.
        let inner = open_in_spite_of_rights(directory, &name)?;
        fchmod(&inner, Mode::RWXU)?;
        if depth < MAX_DEPTH {
            clear(top, &inner, entries(&inner)?, depth + 1, new_names)?;
            remove()?;
        } else {
            renameat(directory, &*name, top, new_names.next().unwrap_or_default())?;
        }
    }
    Ok(())
}

fn random_name() -> rustix::io::Result<String> {
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("{:032x}", u128::from_ne_bytes(random)))
}

/// What is in a directory, until that is too much. What cannot be counted is counted as too much.
fn counted(directory: OwnedFd, policy: &Policy) -> Usage {
    const TOO_MUCH: Usage = Usage { bytes: u64::MAX / 2, inodes: u64::MAX / 2 };
    let mut usage = Usage::default();
    count(directory, policy, &mut usage).map_or(TOO_MUCH, |()| usage)
}

/// Adds up what is in a directory, while its owner may change it: what has gone meanwhile is not counted, and what has
/// come is in the next look.
fn count(directory: OwnedFd, policy: &Policy, usage: &mut Usage) -> rustix::io::Result<()> {
    let mut pending = vec![directory];
    while let Some(directory) = pending.pop() {
        // Opening it does not take all the rights that looking into it does.
        let _ = fchmod(&directory, Mode::RWXU);
        for (name, _) in entries(&directory)? {
            if usage.inodes > policy.scratch_inodes || usage.bytes > policy.scratch_bytes {
                return Ok(());
            }
            let Ok(stat) = statat(&directory, &*name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            usage.inodes += 1;
            usage.bytes = usage.bytes.saturating_add(stat.st_blocks.unsigned_abs() * 512);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                match open_in_spite_of_rights(&directory, &name) {
                    Ok(inner) => pending.push(inner),
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
    }
    Ok(())
}

/// Opens a directory, also one whose owner has taken its rights away. The name may come to mean something else at any
/// time: rights are given to what was found under it first, and to nothing else.
fn open_in_spite_of_rights(at: &OwnedFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    match open_directory(at, name) {
        Err(Errno::ACCESS) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let found = openat(at, name, flags, Mode::empty())?;
            // Where /proc is covered, it stays as it is.
            chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), Mode::RWXU).map_err(|_| Errno::ACCESS)?;
            open_directory(&found, ".")
        }
        opened => opened,
    }
}

fn open_directory(at: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn entries(directory: &OwnedFd) -> rustix::io::Result<Vec<(CString, FileType)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        found.push((entry.file_name().to_owned(), kind));
    }
    Ok(found)
}

fn failed(step: &str) -> impl FnOnce(Errno) -> SandboxError {
    SandboxError::at(Mechanism::Scratch, step)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn everything_is_removed_and_no_link_is_followed() {
        let base = std::env::temp_dir().join(format!("py-executor-empty-{}", std::process::id()));
        let (kept, scratch) = (base.join("kept"), base.join("scratch"));
        fs::create_dir_all(&kept).unwrap();
        fs::write(kept.join("file"), "stays").unwrap();
        fs::create_dir_all(scratch.join("a/b/c")).unwrap();
        fs::write(scratch.join("a/b/c/file"), "goes").unwrap();
        symlink(&kept, scratch.join("link")).unwrap();
        symlink(&kept, scratch.join("a/b/link")).unwrap();
        for mode in 0o0..=0o7 {
            let directory = scratch.join(format!("locked{mode}"));
            fs::create_dir_all(directory.join("inner/most")).unwrap();
            fs::write(directory.join("inner/file"), "goes").unwrap();
            fs::set_permissions(directory.join("inner"), fs::Permissions::from_mode(mode << 6)).unwrap();
            fs::set_permissions(directory, fs::Permissions::from_mode(mode << 6)).unwrap();
        }
        for locked in ["a/b/c", "a/b", "a"] {
            fs::set_permissions(scratch.join(locked), fs::Permissions::from_mode(0o000)).unwrap();
        }
        empty(&open_directory(CWD, &scratch).unwrap()).unwrap();
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(kept.join("file")).unwrap(), "stays");
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn no_depth_stops_it() {
        let base = std::env::temp_dir().join(format!("py-executor-deep-{}", std::process::id()));
        fs::create_dir(&base).unwrap();
        let mut at = open_directory(CWD, &base).unwrap();
        for _ in 0..2_000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = open_directory(&at, "d").unwrap();
        }
        drop(at);
        empty(&open_directory(CWD, &base).unwrap()).unwrap();
        fs::remove_dir(&base).unwrap();
    }
}

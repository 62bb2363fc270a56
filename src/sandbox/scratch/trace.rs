//! Whether a worker has left any trace in its tmpfs.

use rustix::fs::{Mode, OFlags, fstat, open, stat, statvfs};
use rustix::time::{ClockId, clock_gettime};

use crate::sandbox::policy::{SCRATCH, SHARED_MEMORY};

/// All that can be told of a scratch space in which there is no file.
#[derive(Debug, PartialEq, Eq)]
pub struct Trace {
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
    pub fn find() -> rustix::io::Result<Self> {
        let stat = statvfs(SCRATCH)?;
        let halves = [Half::of(SCRATCH)?, Half::of(SHARED_MEMORY)?];
        Ok(Self { halves, free_blocks: stat.f_bfree, free_inodes: stat.f_ffree })
    }

    /// Whether a change of now would get another time: the kernel's clock for that ticks every few milliseconds.
    pub fn is_past(&self) -> bool {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        self.halves.iter().all(|half| half.changed < [now.tv_sec, now.tv_nsec])
    }
}

/// The number of an inode that is made and gone. A tmpfs with a limit on inodes counts its own (Linux 5.9), so this tells
/// whether files without a name were made, which change nothing about the directory. `None` where there are no such files.
pub fn next_inode() -> Option<u64> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let opened = open(SCRATCH, flags, Mode::RUSR).ok()?;
    fstat(opened).ok().map(|stat| stat.st_ino)
}

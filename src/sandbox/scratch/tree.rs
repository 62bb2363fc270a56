//! Directories that a script has filled: counting what is in them, and removing it.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chmod, fchmod, fstat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::{Usage, random_name};
use crate::sandbox::Policy;

/// Removes everything in a directory, in which nothing runs any more. No link is followed, and neither a depth of
/// directories nor one without rights stops it. `path`: its name in errors.
pub fn empty(top: &OwnedFd, path: &Path) -> io::Result<()> {
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
        clear(top, top, path, found, 0, &mut names)?;
    }
}

/// Directories are cleared one in the other down to this depth; what is deeper is moved to the top, to be cleared in the
/// next round.
const MAX_DEPTH: usize = 64;

fn clear(
    top: &OwnedFd,
    directory: &OwnedFd,
    path: &Path,
    found: Vec<(CString, FileType)>,
    depth: usize,
    new_names: &mut impl Iterator<Item = String>,
) -> io::Result<()> {
    for (name, kind) in found {
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        let stuck = |errno: Errno| {
            io::Error::new(
                io::Error::from(errno).kind(),
                format!("{:?} cannot be removed: {errno}", path.to_string_lossy()),
            )
        };
        if kind != FileType::Directory {
            unlinkat(directory, &*name, AtFlags::empty()).map_err(stuck)?;
            continue;
        }
        let remove = || unlinkat(directory, &*name, AtFlags::REMOVEDIR);
        if remove().is_ok() {
            continue;
        }
        // Also to move it its rights are needed: its parent is an entry of it.
        let inner = open_in_spite_of_rights(directory, &name).map_err(stuck)?;
        fchmod(&inner, Mode::RWXU).map_err(stuck)?;
        if depth < MAX_DEPTH {
            clear(top, &inner, &path, entries(&inner)?, depth + 1, new_names)?;
            remove().map_err(stuck)?;
        } else {
            renameat(directory, &*name, top, new_names.next().unwrap_or_default()).map_err(stuck)?;
        }
    }
    Ok(())
}

/// What is in a directory, until that is too much. What cannot be counted is counted as too much.
pub fn counted(directory: OwnedFd, policy: &Policy) -> Usage {
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

pub fn open_directory(at: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::CWD;

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
        empty(&open_directory(CWD, &scratch).unwrap(), &scratch).unwrap();
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
        empty(&open_directory(CWD, &base).unwrap(), &base).unwrap();
        fs::remove_dir(&base).unwrap();
    }
}

//! The files that a script has left in its scratch directory, as its own worker sees them, inside of the sandbox.
//!
//! Nothing outside ever opens a path that a script controls. In here there is nothing to gain by leading this code astray,
//! because the script could read the same itself; it follows no link and waits for nothing all the same, so that what comes
//! out is what lies there.

use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};

use super::python::Python;
use crate::ipc::{Artifacts, File, JobFrame, SkipReason};

/// So many directories one in the other, and so many entries in all, are looked at.
const MAX_DEPTH: usize = 64;
const MAX_ENTRIES: usize = 1 << 17;

/// Those in a directory. Subdirectories are walked through; all is in the order of names.
pub fn in_directory(scratch: &Path, job: &JobFrame<Vec<u8>>) -> Artifacts {
    let mut selection = Selection::new(job);
    match openat(CWD, scratch, DIRECTORY, Mode::empty()) {
        Ok(directory) => selection.walk(&directory, "", 0),
        Err(_) => selection.files.omit("./", 0, SkipReason::Unreadable),
    }
    selection.files
}

/// Those in the memory of a sealed worker.
pub fn in_memory(python: &Python, job: &JobFrame<Vec<u8>>) -> Artifacts {
    let mut selection = Selection::new(job);
    for (name, size) in python.list_files().unwrap_or_default() {
        let text = String::from_utf8_lossy(&name);
        if text.split('/').any(is_hidden) {
            selection.files.omit(&text, size, SkipReason::Hidden);
        } else {
            selection.offer(std::str::from_utf8(&name).map_err(|_| &*text), size, |_| python.read_file(&name));
        }
    }
    selection.files
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// A FIFO or a device that took a file's place is not waited for.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

fn is_hidden(component: &str) -> bool {
    component.starts_with('.')
}

/// What is chosen to be sent.
struct Selection<'a> {
    files: Artifacts,
    job: &'a JobFrame<Vec<u8>>,
    /// How many bytes more may be sent.
    left: u64,
    looked_at: usize,
}

impl<'a> Selection<'a> {
    fn new(job: &'a JobFrame<Vec<u8>>) -> Self {
        Self { files: Artifacts::default(), job, left: job.max_file_bytes, looked_at: 0 }
    }

    fn walk(&mut self, directory: &OwnedFd, prefix: &str, depth: usize) {
        let Ok(entries) = entries(directory) else {
            return self.files.omit(&format!("{prefix}./"), 0, SkipReason::Unreadable);
        };
        for (name, kind) in entries {
            self.looked_at += 1;
            if self.looked_at > MAX_ENTRIES {
                return;
            }
            let component = name.to_string_lossy();
            let path = format!("{prefix}{component}");
            let refused = match kind {
                FileType::Directory => self.directory(directory, &name, &path, depth).err(),
                FileType::RegularFile => self.file(directory, &name, &path).err(),
                _ => Some(SkipReason::NotRegular),
            };
            if let Some(reason) = refused {
                let slash = if kind == FileType::Directory { "/" } else { "" };
                self.files.omit(&format!("{path}{slash}"), 0, reason);
            }
        }
    }

    /// Walks through a directory, unless it is hidden: then it is told of as a whole.
    fn directory(&mut self, above: &OwnedFd, name: &CStr, path: &str, depth: usize) -> Result<(), SkipReason> {
        if is_hidden(&name.to_string_lossy()) {
            return Err(SkipReason::Hidden);
        }
        if depth >= MAX_DEPTH {
            return Err(SkipReason::Name);
        }
        let inner = openat(above, name, DIRECTORY, Mode::empty()).map_err(|_| SkipReason::Unreadable)?;
        self.walk(&inner, &format!("{path}/"), depth + 1);
        Ok(())
    }

    fn file(&mut self, directory: &OwnedFd, name: &CStr, path: &str) -> Result<(), SkipReason> {
        let is_hidden = is_hidden(&name.to_string_lossy());
        let unreadable = || if is_hidden { SkipReason::Hidden } else { SkipReason::Unreadable };
        let file = openat(directory, name, FILE, Mode::empty()).map_err(|_| unreadable())?;
        let stat = fstat(&file).map_err(|_| unreadable())?;
        let size = stat.st_size.unsigned_abs();
        if is_hidden {
            self.files.omit(path, size, SkipReason::Hidden);
            return Ok(());
        }
        // It may have become something else since it was listed.
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(SkipReason::NotRegular);
        }
        // What stands for bytes that are no text is not the name.
        let is_text = name.to_str().is_ok() && !path.contains('\u{fffd}');
        self.offer(if is_text { Ok(path) } else { Err(path) }, size, |limit| read(file.into(), size, limit));
        Ok(())
    }

    /// Takes a file, or notes why not. `Err`: a name that is not UTF-8, as it can be shown.
    fn offer(&mut self, name: Result<&str, &str>, size: u64, read: impl FnOnce(u64) -> Option<Vec<u8>>) {
        let name = match name {
            Ok(name) if Artifacts::is_portable_name(name) => name,
            Ok(name) | Err(name) => return self.files.omit(name, size, SkipReason::Name),
        };
        // What the request has brought is known to the caller, unless the script has changed it.
        let brought = self.job.files.iter().find(|file| file.name == name && file.content.len() as u64 == size);
        if let Some(reason) = self.refusal(size).filter(|_| brought.is_none()) {
            return self.files.omit(name, size, reason);
        }
        let Some(content) = read(size) else { return self.files.omit(name, size, SkipReason::Unreadable) };
        if brought.is_some_and(|brought| brought.content == content) {
            return;
        }
        let bytes = content.len() as u64;
        if let Some(reason) = self.refusal(bytes) {
            return self.files.omit(name, bytes, reason);
        }
        self.left -= bytes;
        self.files.sent.push(File { name: name.to_owned(), content });
    }

    /// Why a file of this size cannot be sent any more.
    fn refusal(&self, size: u64) -> Option<SkipReason> {
        if size > self.left {
            return Some(SkipReason::TooLarge);
        }
        (self.files.sent.len() >= self.job.max_files as usize).then_some(SkipReason::TooMany)
    }
}

/// At most `limit` bytes of a file. Memory that is not to be had is no reason to fail.
fn read(file: std::fs::File, size: u64, limit: u64) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    content.try_reserve_exact(usize::try_from(size.min(limit)).ok()? + 1).ok()?;
    file.take(limit).read_to_end(&mut content).ok()?;
    Some(content)
}

fn entries(directory: impl AsFd) -> rustix::io::Result<Vec<(CString, FileType)>> {
    let entries = Dir::read_from(directory)?;
    let is_real = |name: &CString| !matches!(name.to_bytes(), b"." | b"..");
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .take(MAX_ENTRIES)
        .map(|entry| (entry.file_name().to_owned(), entry.file_type()))
        .filter(|(name, _)| is_real(name))
        .collect();
    found.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    Ok(found)
}

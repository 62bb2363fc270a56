//! Scratch directories whose service was killed. They stay where `/tmp` outlives the service, as the volume of a Kubernetes pod
//! outlives its containers, and would fill it.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, flock, fstat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::PARENTS;
use super::tree::{empty, open_directory};
use crate::sandbox::Policy;

/// Beginning of the names of scratch directories. 32 hexadecimal digits follow.
pub const PREFIX: &str = "py-executor-";

/// Marks a scratch directory as used. The kernel takes the mark away when the monitor has ended, however it ended, and no script
/// can: the mark belongs to the monitor's descriptor.
pub fn mark_as_used(directory: &OwnedFd) -> rustix::io::Result<()> {
    flock(directory, FlockOperation::NonBlockingLockExclusive)
}

/// Removes the scratch directories that nobody uses any more, wherever this policy may put some. Those of a service that runs beside
/// this one stay.
pub fn remove_abandoned(policy: &Policy) -> io::Result<()> {
    let places = match &policy.scratch_parent {
        Some(parent) => vec![parent.as_path()],
        None => PARENTS.map(Path::new).to_vec(),
    };
    let there = places.into_iter().filter(|place| place.is_dir());
    there.map(remove_abandoned_in).fold(Ok(()), Result::and)
}

fn remove_abandoned_in(path: &Path) -> io::Result<()> {
    let place = open_directory(CWD, path)?;
    let names: Vec<CString> = Dir::read_from(&place)?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_owned()))
        .filter(|name| is_of_scratch(name))
        .collect();
    // One that cannot be removed must not keep the others.
    names.iter().map(|name| remove_if_abandoned(&place, name, path)).fold(Ok(()), Result::and)
}

fn is_of_scratch(name: &CStr) -> bool {
    let digits = name.to_str().ok().and_then(|name| name.strip_prefix(PREFIX));
    digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn remove_if_abandoned(place: impl AsFd, name: &CStr, path: &Path) -> io::Result<()> {
    let directory = match open_directory(&place, name) {
        // Removed meanwhile; a file or a link; another user's.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => return Ok(()),
        opened => opened?,
    };
    if fstat(&directory)?.st_uid != geteuid().as_raw() {
        return Ok(());
    }
    match mark_as_used(&directory) {
        Err(Errno::AGAIN) => return Ok(()),
        marked => marked?,
    }
    empty(&directory, &path.join(OsStr::from_bytes(name.to_bytes())))?;
    Ok(unlinkat(&place, name, AtFlags::REMOVEDIR)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const NAME: &str = "py-executor-0123456789abcdef0123456789abcdef";

    /// A place of a test's own, removed when dropped.
    struct Place(std::path::PathBuf);

    impl Place {
        fn new(label: &str) -> Self {
            let path = std::env::temp_dir().join(format!("py-executor-abandoned-{label}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn fill(&self, name: &str) -> std::path::PathBuf {
            let directory = self.0.join(name);
            fs::create_dir_all(directory.join("deep")).unwrap();
            fs::write(directory.join("deep/file"), "left").unwrap();
            directory
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_directory_goes_when_nobody_uses_it_any_more() {
        let place = Place::new("used");
        let directory = place.fill(NAME);
        let used = open_directory(CWD, &directory).unwrap();
        mark_as_used(&used).unwrap();
        remove_abandoned_in(&place.0).unwrap();
        assert!(directory.join("deep/file").exists(), "the directory of a service that runs was emptied");
        drop(used);
        remove_abandoned_in(&place.0).unwrap();
        assert!(!directory.exists());
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        let place = Place::new("others");
        for name in
            ["py-executor-probe-12", "py-executor-0123", "other", &format!("{NAME}.new"), &NAME.replace('f', "g")]
        {
            place.fill(name);
        }
        let target = place.fill("target");
        symlink(&target, place.0.join(NAME)).unwrap();
        fs::write(place.0.join(NAME.replace('0', "1")), "a file").unwrap();
        let before = fs::read_dir(&place.0).unwrap().count();
        remove_abandoned_in(&place.0).unwrap();
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), before);
        assert!(target.join("deep/file").exists(), "a link was followed");
    }
}

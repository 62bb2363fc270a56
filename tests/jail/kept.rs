//! The directories that must stay where they are: the project, the programs that it is built into, and the runtime.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{MountFlags, mount, mount_bind_recursive};

use crate::failure::{Attempt, Failure};

/// A directory whose content the command does not see.
pub enum Replaced {
    /// It has a fresh file system of its own.
    Fresh(PathBuf),
    /// Somebody's private directory, in which the project lies: everything else in it is taken away.
    Private(PathBuf),
}

impl Replaced {
    fn path(&self) -> &Path {
        match self {
            Self::Fresh(path) | Self::Private(path) => path,
        }
    }
}

/// Kept directories, held by descriptor while file systems are mounted over them.
pub struct Kept {
    held: Vec<(PathBuf, OwnedFd)>,
    replaced: Vec<Replaced>,
}

impl Kept {
    /// Whether everybody can reach all of them as they are.
    pub fn is_in_reach(program: &Path) -> Result<bool, Failure> {
        Ok(paths(program)?.iter().all(|path| private_ancestor(path).is_none()))
    }

    /// Holds what lies below `replaced`, and below directories that only their owners can enter.
    pub fn hold(program: &Path, mut replaced: Vec<Replaced>) -> Result<Self, Failure> {
        let mut held = Vec::new();
        for path in paths(program)? {
            let is_covered = |path: &Path, by: &[Replaced]| by.iter().any(|place| path.starts_with(place.path()));
            if let Some(private) = private_ancestor(&path).filter(|private| !is_covered(private, &replaced)) {
                replaced.push(Replaced::Private(private));
            }
            if is_covered(&path, &replaced) {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                held.push((path.clone(), open(&path, flags, Mode::empty()).attempt(path.display())?));
            }
        }
        Ok(Self { held, replaced })
    }

    /// Mounts the held directories where they were.
    pub fn put_back(self) -> Result<(), Failure> {
        for place in &self.replaced {
            if let Replaced::Private(path) = place {
                let flags = MountFlags::NOSUID | MountFlags::NODEV;
                mount("tmpfs", path, "tmpfs", flags, c"mode=755,size=64k").attempt(path.display())?;
            }
        }
        for (path, descriptor) in self.held {
            std::fs::create_dir_all(&path).attempt(path.display())?;
            let held = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
            mount_bind_recursive(held, &path).attempt(path.display())?;
        }
        Ok(())
    }
}

/// The kept directories without those that lie in another one. `program` is what will be executed.
fn paths(program: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let runtime = std::env::var_os("EXECUTOR_RUNTIME").map(PathBuf::from);
    let jail = std::env::current_exe().attempt("this program")?;
    let of_programs = [program, &jail].into_iter().filter_map(|program| Some(program.parent()?.to_owned()));
    let all = of_programs.chain(runtime).chain([project.join("target/layer/runtime"), project]);
    // One that is not there, or has no full name, is left to whoever looks for it.
    let all: BTreeSet<PathBuf> =
        all.filter(|path| path.is_absolute()).filter_map(|path| path.canonicalize().ok()).collect();
    let is_within = |path: &Path| path.ancestors().skip(1).any(|above| all.contains(above));
    Ok(all.iter().filter(|path| !is_within(path) && path.parent().is_some()).cloned().collect())
}

/// The uppermost directory on the way to `path` that not everybody can enter.
fn private_ancestor(path: &Path) -> Option<PathBuf> {
    const ENTER: u32 = 0o001;
    let mut from_root: Vec<&Path> = path.ancestors().skip(1).collect();
    from_root.reverse();
    let is_private = |path: &&Path| path.metadata().is_ok_and(|found| found.mode() & ENTER == 0);
    from_root.into_iter().find(is_private).map(Path::to_owned)
}

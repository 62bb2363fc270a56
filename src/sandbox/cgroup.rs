//! Control groups of version 2 (cgroups(7)): the kernel counts the memory and the processes of a worker's whole tree, its own
//! memory for them included: page tables, mappings, sockets, pipes, files in a tmpfs.
//!
//! The service takes a part of the hierarchy while it is still root, or is given one by whoever starts it. In there it has a
//! cgroup of its own, and one for the workers of each monitor, in which each of them is made (CLONE_INTO_CGROUP, Linux 5.7): to
//! move a process from one cgroup to another waits for all processors, for tens of milliseconds.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid, chownat, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use super::{Mechanism, Policy, SandboxError};

/// Controllers that count what is bounded.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// The cgroup of the service itself: one with children that are counted must not have processes (cgroups(7), "no internal
/// processes").
const SERVICE: &str = "service";

/// Beginning of the names of cgroups that are made for workers.
const WORKERS: &str = "workers-";

/// Beginning of the name of the service's part where it cannot have the cgroup in which it was started.
const BESIDE: &str = "py-executor-";

/// Part of the memory limit that a tree gets on top: what Python and the kernel have for it before its script begins. Python
/// gets its MemoryError from RLIMIT_DATA first.
const SLACK: u64 = 16;

/// Limits of a cgroup in which a probe tries to pass them.
pub const PROBE_MEMORY: u64 = 16 << 20;
pub const PROBE_PROCESSES: u64 = 4;

/// A part of the hierarchy that is the service's.
#[derive(Debug, Clone)]
pub struct Subtree(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    directory: OwnedFd,
    made: AtomicU64,
    /// Names of cgroups that nobody needs any more.
    abandoned: Mutex<Vec<String>>,
}

impl Subtree {
    /// Takes a part of the hierarchy and moves this process into it. `owner` is who the process is going to be. While the
    /// process has one thread.
    pub fn take(owner: Option<(Uid, Gid)>) -> Result<Self, SandboxError> {
        let own = own_cgroup()?;
        remove_abandoned(&own);
        let mut refused = None;
        for place in places(&own) {
            match settle(&place, owner) {
                Ok(directory) => {
                    return Ok(Self(Arc::new(Shared {
                        directory,
                        made: AtomicU64::new(0),
                        abandoned: Mutex::default(),
                    })));
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(|| failed("find a place")("the service shares its cgroup with other processes")))
    }

    /// Makes a cgroup for workers.
    pub fn group(&self, policy: &Policy) -> Result<Group, SandboxError> {
        self.limited(policy.memory_bytes + policy.memory_bytes / SLACK, policy.max_processes)
    }

    /// Makes a cgroup whose limits are low enough to be tried.
    pub fn probe(&self) -> Result<Group, SandboxError> {
        self.limited(PROBE_MEMORY, PROBE_PROCESSES)
    }

    fn limited(&self, memory: u64, processes: u64) -> Result<Group, SandboxError> {
        self.remove_abandoned();
        let name = format!("{WORKERS}{}-{}", std::process::id(), self.0.made.fetch_add(1, Ordering::Relaxed));
        mkdirat(&self.0.directory, &name, Mode::from_raw_mode(0o755)).map_err(failed("mkdir"))?;
        let directory = open_directory(&self.0.directory, &name).map_err(failed("open"));
        let group = Group { subtree: self.clone(), name, directory: directory? };
        let set = |file: &str, value: &str| write(&group.directory, file, value).map_err(failed(file));
        set("memory.max", &memory.to_string())?;
        // All of a tree ends with any of it: half a script is none.
        set("memory.oom.group", "1")?;
        set("pids.max", &processes.to_string())?;
        match write(&group.directory, "memory.swap.max", "0") {
            // A kernel that does not count swap.
            Err(Errno::NOENT) => {}
            result => result.map_err(failed("memory.swap.max"))?,
        }
        Ok(group)
    }

    /// Removes cgroups that nobody needs. One that is still in use stays for the next time.
    fn remove_abandoned(&self) {
        let mut abandoned = self.0.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        abandoned.retain(|name| {
            let removed = unlinkat(&self.0.directory, name.as_str(), AtFlags::REMOVEDIR);
            matches!(removed, Err(errno) if errno != Errno::NOENT)
        });
    }
}

/// A cgroup in which a monitor makes its workers. Removed when it is not needed any more.
#[derive(Debug)]
pub struct Group {
    subtree: Subtree,
    name: String,
    directory: OwnedFd,
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut abandoned = self.subtree.0.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        abandoned.push(std::mem::take(&mut self.name));
    }
}

/// The same cgroup, as a monitor sees it: by a descriptor, for no path leads there.
#[derive(Debug)]
pub struct Joined(OwnedFd);

impl From<OwnedFd> for Joined {
    fn from(directory: OwnedFd) -> Self {
        Self(directory)
    }
}

impl AsFd for Joined {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Joined {
    /// How often its limit left no memory for what is in it, so that the kernel ended that (`oom` of memory.events in the
    /// kernel's admin-guide/cgroup-v2). When the host has none left, that is not counted here.
    pub fn shortages(&self) -> Result<u64, SandboxError> {
        let events = read(&self.0, "memory.events").map_err(failed("read memory.events"))?;
        let count = events.lines().find_map(|line| line.strip_prefix("oom ")?.trim().parse().ok());
        count.ok_or("no oom").map_err(failed("parse memory.events"))
    }

    /// How many processes there are.
    pub fn processes(&self) -> Result<usize, SandboxError> {
        Ok(read(&self.0, "cgroup.procs").map_err(failed("read cgroup.procs"))?.lines().count())
    }

    /// Kills everything, what is about to be forked as well (Linux 5.14). An older kernel leaves that to others.
    pub fn kill(&self) -> Result<(), SandboxError> {
        match write(&self.0, "cgroup.kill", "1") {
            Err(Errno::NOENT) => Ok(()),
            result => result.map_err(failed("cgroup.kill")),
        }
    }
}

/// The directory of this process's cgroup.
fn own_cgroup() -> Result<PathBuf, SandboxError> {
    let text = |path: &str| fs::read_to_string(path).map_err(failed(path));
    let (groups, mounts) = (text("/proc/self/cgroup")?, text("/proc/self/mountinfo")?);
    directory_of(&groups, &mounts)
        .ok_or("no hierarchy of version 2 is mounted")
        .map_err(failed("find the cgroup of the service"))
}

/// From /proc/self/cgroup (cgroups(7)) and /proc/self/mountinfo (proc_pid_mountinfo(5)).
fn directory_of(groups: &str, mounts: &str) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let of_mount = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        kind.starts_with("cgroup2 ").then(|| (root.to_owned(), PathBuf::from(point)))
    };
    let (root, point) = mounts.lines().find_map(of_mount)?;
    let below = Path::new(path).strip_prefix(&root).ok()?;
    Some(point.join(below))
}

/// A cgroup that the service can make its own.
struct Place {
    directory: PathBuf,
    /// Whether it has to be made.
    is_new: bool,
}

/// The service's own cgroup, if nobody else is in it; and else a new one beside it, or below it if it is the root, which only
/// root can make.
fn places(own: &Path) -> Vec<Place> {
    let name = format!("{BESIDE}{}", std::process::id());
    // Every cgroup has a type but the root of the hierarchy.
    if !own.join("cgroup.type").exists() {
        return vec![Place { directory: own.join(name), is_new: true }];
    }
    let processes = fs::read_to_string(own.join("cgroup.procs")).unwrap_or_default();
    let is_alone = processes.lines().all(|number| number == std::process::id().to_string());
    let itself = is_alone.then(|| Place { directory: own.to_owned(), is_new: false });
    let beside = own.parent().map(|parent| Place { directory: parent.join(name), is_new: true });
    itself.into_iter().chain(beside).collect()
}

/// Moves this process into a cgroup below the place, and has the kernel count for the others there.
fn settle(place: &Place, owner: Option<(Uid, Gid)>) -> Result<OwnedFd, SandboxError> {
    let Place { directory, is_new } = place;
    if *is_new {
        if let Some(parent) = directory.parent() {
            let parent = open_directory(CWD, parent).map_err(failed("open"))?;
            enable_controllers(&parent)?;
        }
        mkdirat(CWD, directory, Mode::from_raw_mode(0o755)).map_err(failed("mkdir"))?;
    }
    let settled = settle_in(directory, owner);
    if settled.is_err() {
        // As if nothing had been tried.
        let _ = fs::write(directory.join("cgroup.procs"), "0");
        let _ = fs::remove_dir(directory.join(SERVICE));
        let _ = if *is_new { fs::remove_dir(directory) } else { Ok(()) };
    }
    settled
}

fn settle_in(directory: &Path, owner: Option<(Uid, Gid)>) -> Result<OwnedFd, SandboxError> {
    let base = open_directory(CWD, directory).map_err(failed("open"))?;
    match mkdirat(&base, SERVICE, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed("mkdir")(errno)),
    }
    let service = open_directory(&base, SERVICE).map_err(failed("open"))?;
    write(&service, "cgroup.procs", "0").map_err(failed("enter a cgroup"))?;
    enable_controllers(&base)?;
    // Whoever makes a process in another cgroup must be able to write to the list of their common ancestor's.
    if let Some((user, group)) = owner {
        for name in ["", "cgroup.procs"] {
            chownat(&base, name, Some(user), Some(group), AtFlags::EMPTY_PATH).map_err(failed("chown"))?;
        }
    }
    Ok(base)
}

fn enable_controllers(directory: &OwnedFd) -> Result<(), SandboxError> {
    let offered = read(directory, "cgroup.controllers").map_err(failed("read cgroup.controllers"))?;
    for controller in CONTROLLERS {
        if !offered.split_whitespace().any(|name| name == controller) {
            return Err(failed("read cgroup.controllers")(format!("the controller {controller} is not there")));
        }
    }
    let enabled = read(directory, "cgroup.subtree_control").map_err(failed("read cgroup.subtree_control"))?;
    for controller in CONTROLLERS.iter().filter(|name| !enabled.split_whitespace().any(|other| other == **name)) {
        let switch_on = format!("+{controller}");
        write(directory, "cgroup.subtree_control", &switch_on).map_err(failed("write cgroup.subtree_control"))?;
    }
    Ok(())
}

/// Removes what services have left that were here before. What has processes stays.
fn remove_abandoned(own: &Path) {
    let directories = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let is_named = |entry: &fs::DirEntry, start: &str| entry.file_name().to_string_lossy().starts_with(start);
    let beside = own.parent().into_iter().flat_map(directories).filter(|entry| is_named(entry, BESIDE));
    let below = directories(own).filter(|entry| is_named(entry, BESIDE));
    for place in beside.chain(below).map(|entry| entry.path()).chain([own.to_owned()]) {
        let workers = directories(&place).filter(|entry| is_named(entry, WORKERS)).map(|entry| entry.path());
        for path in workers.chain([place.join(SERVICE)]) {
            let _ = fs::remove_dir(path);
        }
        if place != own {
            let _ = fs::remove_dir(place);
        }
    }
}

fn open_directory(at: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn write(directory: &OwnedFd, file: &str, value: &str) -> rustix::io::Result<()> {
    let file = openat(directory, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, value.as_bytes()).map(drop)
}

fn read(directory: &OwnedFd, file: &str) -> io::Result<String> {
    let file = openat(directory, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    io::read_to_string(fs::File::from(file))
}

fn failed<E: std::fmt::Display>(step: &str) -> impl FnOnce(E) -> SandboxError + use<E> {
    SandboxError::at(Mechanism::Cgroup, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "25 1 0:23 / /proc rw - proc proc rw\n\
        31 25 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_own_cgroup_is_found() {
        let found = directory_of("0::/system.slice/py.service\n", MOUNTS);
        assert_eq!(found, Some("/sys/fs/cgroup/system.slice/py.service".into()));
        assert_eq!(directory_of("0::/\n", MOUNTS), Some("/sys/fs/cgroup/".into()));
        let below = MOUNTS.replace("0:27 / ", "0:27 /a ");
        assert_eq!(directory_of("0::/a/b\n", &below), Some("/sys/fs/cgroup/b".into()));
        assert_eq!(directory_of("0::/c\n", &below), None, "the mount does not show it");
        assert_eq!(directory_of("4:memory:/\n", MOUNTS), None);
        assert_eq!(directory_of("0::/\n", "25 1 0:23 / /proc rw - proc proc rw\n"), None);
    }
}

//! The probe: once, in the first worker of a service, each mechanism is broken into as soon as it is in place. What does
//! not hold is not relied upon.
//!
//! Where a mechanism takes a right away, its probe asks for something that only this right gives. A newer kernel may allow to
//! everybody what an older one refuses.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{CWD, FallocateFlags, FileType, Mode, chmod, fallocate, makedev, mknodat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrV4, SocketType, connect, socket};
use rustix::process::{Pid, Resource, Rlimit, chroot, getppid, getrlimit, setrlimit};
use rustix::thread::UnshareFlags;

use super::policy::{SCRATCH, SHARED_MEMORY};
use super::{Mechanism, Policy, SandboxError, WorkerPaths, capabilities};
use crate::sys;

/// An address that is nobody's (RFC 5737).
const NOBODY: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(192, 0, 2, 1), 9);

/// Beside the places of the scratch space, the one that everybody may write to on every host (file-hierarchy(7)).
const OTHER_TEMPORARY: &str = "/var/tmp";

/// AF_ALG of linux/socket.h: the kernel's cryptography, a way in of several exploits, and part of no namespace.
const AF_ALG: AddressFamily = AddressFamily::from_raw(38);

/// Tries to break a mechanism that has just been applied. Gives how that succeeded.
pub fn breach(mechanism: Mechanism, policy: &Policy, place: &WorkerPaths) -> Option<SandboxError> {
    let found = match mechanism {
        Mechanism::Namespaces => reaches_out(),
        Mechanism::Root => writes_to_root(place),
        Mechanism::Scratch => overfills(policy),
        Mechanism::Rlimits => raises_limits(),
        Mechanism::Capabilities => has_rights(),
        Mechanism::Dumpable => reads_parent(policy),
        Mechanism::Landlock => passes_landlock(policy, place),
        Mechanism::Seccomp => passes_filter(),
        Mechanism::Seal => opens_something(),
        // Looked at where they are applied: by `inherited`, the zygote, its worker, the monitor and `cgroup`.
        Mechanism::Nproc
        | Mechanism::Descriptors
        | Mechanism::Environment
        | Mechanism::Sweep
        | Mechanism::Watchdog
        | Mechanism::Cgroup => None,
    };
    found.map(|what| SandboxError::at(mechanism, "probe")(what))
}

/// Descriptors beyond the standard streams that are open though they should not be.
pub fn inherited(kept: &[BorrowedFd<'_>]) -> Option<SandboxError> {
    let known = |number: i32| number <= 2 || kept.iter().any(|fd| fd.as_raw_fd() == number);
    let open = fs::read_dir("/proc/self/fd").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // The directory itself is open while it is read, and not any more afterwards.
    let mut open: Vec<i32> = open.collect();
    open.retain(|number| !known(*number) && fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    let first = open.first()?;
    Some(SandboxError::at(Mechanism::Descriptors, "probe")(format!("descriptor {first} is open")))
}

/// What a sealed worker can leave where nobody sweeps: a directory needs no descriptor, and its name can say much.
pub fn outlasts_sweep(policy: &Policy) -> Option<SandboxError> {
    let is_swept = |place: &str| policy.has(Mechanism::Scratch) || (policy.owns_tmp && place == SCRATCH);
    let is_left = |place: &&str| {
        let path = Path::new(place).join(format!("py-executor-probe-{}", std::process::id()));
        let made = fs::create_dir(&path).is_ok();
        let _ = fs::remove_dir(&path);
        made
    };
    let places = [SCRATCH, SHARED_MEMORY].into_iter().filter(|place| !is_swept(place));
    let place = places.chain([OTHER_TEMPORARY]).find(is_left)?;
    Some(SandboxError::at(Mechanism::Sweep, "probe")(format!("a directory can be made in {place}")))
}

fn reaches_out() -> Option<String> {
    if getppid().is_some_and(|parent| parent.as_raw_nonzero().get() != 1) {
        return Some("the parent is not the init process of a namespace".to_owned());
    }
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
    connect(&socket, &NOBODY).is_ok().then(|| "there is a route to the network".to_owned())
}

fn writes_to_root(place: &WorkerPaths) -> Option<String> {
    if !place.runtime.join("usr/bin/python3.13").exists() {
        return Some("the runtime is not the root directory".to_owned());
    }
    if chmod("/proc/self/exe", Mode::from_raw_mode(0o555)).is_ok() {
        return Some("the service's program can be changed".to_owned());
    }
    let opened = OpenOptions::new().write(true).open("/usr/bin/python3.13").is_ok();
    let made = fs::create_dir("/usr/probe").is_ok();
    (opened || made).then(|| "the runtime can be written to".to_owned())
}

fn overfills(policy: &Policy) -> Option<String> {
    let path = "/tmp/probe";
    let file = File::create(path).ok()?;
    let filled = fallocate(&file, FallocateFlags::empty(), 0, policy.scratch_bytes + 4096).is_ok();
    let _ = fs::remove_file(path);
    filled.then(|| "the tmpfs takes more than its size".to_owned())
}

fn raises_limits() -> Option<String> {
    // The kernel has no other bound for this one. That of open files has one for everybody (fs.nr_open).
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    let more = maximum.map(|limit| limit + 1);
    let raised = setrlimit(Resource::Core, Rlimit { current: more, maximum: more }).is_ok();
    raised.then(|| "a hard limit can be raised".to_owned())
}

fn has_rights() -> Option<String> {
    (uses_right() || capabilities::has_any().unwrap_or(true)).then(|| "there are capabilities left".to_owned())
}

/// Makes the root what it is already, which takes a capability in the process's own user namespace. The name of the host, for
/// instance, belongs to the zygote's.
fn uses_right() -> bool {
    chroot("/").is_ok()
}

/// The parent is the monitor. Where it is all that can be seen, its environment may be: it is the script's own, and gVisor
/// hides no environment from a process of the same user.
fn reads_parent(policy: &Policy) -> Option<String> {
    let parent = getppid()?;
    let opens = |file| File::open(format!("/proc/{}/{file}", parent.as_raw_nonzero())).is_ok();
    if reads_memory(parent) || opens("mem") {
        return Some("the parent's memory can be read".to_owned());
    }
    let exposed = !policy.has(Mechanism::Namespaces) && opens("environ");
    exposed.then(|| "the parent's environment can be read".to_owned())
}

/// Any other answer than the refusal is one of somebody who may: that there is nothing at the address, for instance.
fn reads_memory(process: Pid) -> bool {
    !sys::read_memory(process).is_err_and(|error| error.raw_os_error() == Some(libc::EPERM))
}

/// In the runtime as root everything can be read; there, it is the device that Landlock refuses (EACCES), before the kernel looks
/// for the right to make one (EPERM).
fn passes_landlock(policy: &Policy, place: &WorkerPaths) -> Option<String> {
    if policy.has(Mechanism::Root) {
        let made = make_device(&place.scratch);
        return (made != Err(Errno::ACCESS)).then(|| format!("a device can be asked for: {made:?}"));
    }
    let readable = ["/", "/proc/self/environ", "/etc/passwd"].into_iter().find(|path| File::open(path).is_ok());
    readable.map(|path| format!("{path} can be opened"))
}

/// The number is that of /dev/null. 0:0 would be no device but a whiteout: everybody may make one, and current kernels do not
/// count it as a device for Landlock either.
fn make_device(directory: &Path) -> rustix::io::Result<()> {
    mknodat(CWD, directory.join("probe"), FileType::CharacterDevice, Mode::RUSR, makedev(1, 3))
}

fn passes_filter() -> Option<String> {
    let refused = |result: io::Result<()>| result.is_err_and(|error| error.raw_os_error() == Some(libc::EPERM));
    let family = |family| refused(socket(family, SocketType::STREAM, None).map(drop).map_err(Into::into));
    let unshared = sys::unshare(UnshareFlags::NEWUSER).map_err(Into::into);
    let all = family(AddressFamily::INET) && family(AddressFamily::UNIX) && family(AF_ALG) && refused(unshared);
    (!all).then(|| "a call is let through".to_owned())
}

fn opens_something() -> Option<String> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).is_ok();
    let pipe = rustix::pipe::pipe().is_ok();
    let memory = rustix::fs::memfd_create("probe", rustix::fs::MemfdFlags::empty()).is_ok();
    let thread = std::thread::Builder::new().spawn(|| ()).is_ok();
    (socket || pipe || memory || thread).then(|| "a descriptor or a thread can be made".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Rules;

    /// Runs something in a thread of its own, which has no capabilities.
    fn without_rights(action: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                capabilities::drop_all().unwrap();
                action();
            });
            thread.join().unwrap();
        });
    }

    #[test]
    fn what_is_asked_of_landlock_takes_a_right() {
        let scratch = std::env::temp_dir().join(format!("py-executor-test-{}", std::process::id()));
        fs::create_dir(&scratch).unwrap();
        let policy = Policy::of(&[Mechanism::Root, Mechanism::Landlock]);
        let place = WorkerPaths { runtime: "/".into(), scratch: scratch.clone() };
        without_rights(|| {
            assert_eq!(make_device(&scratch), Err(Errno::PERM), "it is not for everybody");
            let found = passes_landlock(&policy, &place);
            assert!(found.is_some_and(|what| what.contains("a device can be asked for")), "it is not in force");
            Rules::make(&policy, &place).unwrap().enforce().unwrap();
            assert_eq!(passes_landlock(&policy, &place), None);
        });
        fs::remove_dir_all(&scratch).unwrap();
    }

    #[test]
    fn memory_that_can_be_read_is_found() {
        assert!(reads_memory(rustix::process::getpid()));
        let init = Pid::from_raw(1).unwrap();
        without_rights(|| assert!(!reads_memory(init)));
    }

    #[test]
    fn what_is_asked_of_capabilities_takes_one() {
        assert!(uses_right(), "tests are run by root");
        without_rights(|| assert!(!uses_right()));
    }
}

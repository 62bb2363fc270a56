//! What is wanted, as plain data: which mechanisms lock a worker in, and its limits.

use std::path::{Path, PathBuf};

use rustix::process::Resource;
use serde::{Deserialize, Serialize};

use super::mechanism::{Mechanism, Mechanisms};

/// User and group id that a script sees as its own in a user namespace. The runtime's /etc/passwd calls it `sandbox`.
pub const WORKER_ID: u32 = 1000;

/// Where the scratch directory is for a script that has a mount namespace: its working directory, `HOME` and `TMPDIR`.
/// Elsewhere, the scratch directories lie in it.
pub const SCRATCH: &str = "/tmp";

/// Shared memory and semaphores of POSIX live here (shm_overview(7)). It is part of the scratch space.
pub const SHARED_MEMORY: &str = "/dev/shm";

/// Devices that a script finds in /dev; each is harmless to everybody. No /dev/zero: mapped, it is shared memory that no
/// process's account shows.
pub const DEVICES: [&str; 4] = ["null", "full", "random", "urandom"];

/// How much more a worker is niced than the service and its monitor, which must get their turn however busy it is.
pub const NICENESS: i32 = 5;

/// Main threads get this much stack, and the C library gives threads of Python as much; bytes.
pub const STACK_BYTES: u64 = 8 << 20;

/// How one worker is locked in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What locks it in. Each is applied to each worker, or the worker is not used.
    pub mechanisms: Mechanisms,
    /// Bytes of memory, of all processes together.
    pub memory_bytes: u64,
    /// Processes and threads, together.
    pub max_processes: u64,
    /// Open files in a process.
    pub max_open_files: u64,
    /// Bytes of all files in the scratch space.
    pub scratch_bytes: u64,
    /// Files and directories in the scratch space.
    pub scratch_inodes: u64,
    /// What kernel objects count for.
    pub weights: Weights,
    /// Whether /tmp belongs to scripts as a whole, as in a Lambda function.
    pub owns_tmp: bool,
    /// Directory that scratch spaces lie in where a worker has no tmpfs of its own. None before it is chosen.
    pub scratch_parent: Option<PathBuf>,
}

/// Bytes that an object of the kernel counts for: the most that it can take, or more where a user may have only so many and the
/// service needs some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// A watch of epoll (max_user_watches in epoll(7)).
    pub watch: u64,
    /// A socket, with what is under way in it.
    pub socket: u64,
    /// A pipe, with what is in it.
    pub pipe: u64,
    /// A page fault, unless it brings a large page.
    pub fault: u64,
    pub large_page: u64,
    /// Not bytes: the number of mappings that a process can have.
    pub max_mappings: u64,
}

/// Settings of a kernel that say how much its objects can take. Zero where there is no such limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelLimits {
    /// Watches of epoll that a user may have (/proc/sys/fs/epoll/max_user_watches).
    pub user_watches: u64,
    /// Bytes that a socket may have under way (/proc/sys/net/core/wmem_default).
    pub socket_bytes: u64,
    /// Pages of pipes that a user may have (/proc/sys/fs/pipe-user-pages-hard).
    pub user_pipe_pages: u64,
    /// Mappings that a process may have (/proc/sys/vm/max_map_count).
    pub mappings: u64,
    /// Bytes of the largest piece of memory that a fault brings, but for a large page (transhuge.rst of the kernel's documentation).
    pub fault_bytes: u64,
    /// Bytes of a large page.
    pub large_page_bytes: u64,
}

impl Weights {
    /// Bytes of a watch: struct epitem, and struct eppoll_entry twice, for a pipe that is open in both directions.
    const WATCH: u64 = 320;

    /// Pages of a pipe (pipe(7)). Scripts cannot make it larger.
    const PIPE_PAGES: u64 = 16;

    /// Bytes that a socket may have under way by default (wmem_default in socket(7)). Scripts cannot change it.
    const SOCKET: u64 = 208 * 1024;

    /// Bytes of a large page where pages have 4 KiB.
    const LARGE_PAGE: u64 = 2 << 20;

    /// Weighs objects so that what one tree of processes can have of them, all trees together, is half of what their user may
    /// have: the rest is the service's.
    pub fn new(limits: KernelLimits, memory_bytes: u64, trees: usize) -> Self {
        let trees = (trees as u64).max(1);
        let part = |limit: u64| if limit == 0 { 0 } else { memory_bytes / (limit / 2 / trees).max(1) };
        let pipe = Self::PIPE_PAGES * rustix::param::page_size() as u64;
        // A packet of up to half of the limit is let in as long as the limit is not reached (unix_stream_sendmsg).
        let socket = limits.socket_bytes.max(Self::SOCKET);
        Self {
            watch: part(limits.user_watches).max(Self::WATCH),
            socket: socket + socket / 2,
            pipe: part(limits.user_pipe_pages / Self::PIPE_PAGES).max(pipe),
            fault: limits.fault_bytes.max(rustix::param::page_size() as u64),
            large_page: limits.large_page_bytes.max(Self::LARGE_PAGE),
            max_mappings: if limits.mappings == 0 { u64::MAX } else { limits.mappings },
        }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self::new(KernelLimits::default(), 0, 1)
    }
}

impl Policy {
    pub fn has(&self, mechanism: Mechanism) -> bool {
        self.mechanisms.contains(&mechanism)
    }

    /// Directory that scratch spaces lie in where a worker has no tmpfs of its own.
    pub fn scratch_parent(&self) -> &Path {
        self.scratch_parent.as_deref().unwrap_or(Path::new(SCRATCH))
    }

    /// Whether all of /tmp is swept: a sealed script can make directories and links anywhere in it.
    pub fn sweeps_tmp(&self) -> bool {
        self.owns_tmp && self.has(Mechanism::Seal) && self.has(Mechanism::Sweep)
    }

    /// The resource limits that do not depend on the job (getrlimit(2)); soft and hard limit are the same.
    pub fn rlimits(&self) -> Vec<(Resource, u64)> {
        vec![
            (Resource::Nofile, self.max_open_files),
            (Resource::Fsize, self.scratch_bytes),
            // Not 0, which keeps the kernel from writing a core file but not from piping one to a program of the host; 1
            // does both (core(5), do_coredump in fs/coredump.c).
            (Resource::Core, 1),
            // Locked memory cannot be reclaimed, message queues live in kernel memory: no script needs either.
            (Resource::Memlock, 64 * 1024),
        ]
    }

    /// Limits that are set where the kernel knows them: gVisor does not, nor does it have what they are about.
    pub fn optional_rlimits() -> [(Resource, u64); 4] {
        [(Resource::Msgqueue, 0), (Resource::Rtprio, 0), (Resource::Nice, 0), (Resource::Sigpending, 1024)]
    }
}

#[cfg(test)]
impl Policy {
    /// A policy for tests, with small limits.
    pub fn of(mechanisms: &[Mechanism]) -> Self {
        Self {
            mechanisms: mechanisms.iter().copied().collect(),
            memory_bytes: 128 << 20,
            max_processes: 16,
            max_open_files: 64,
            scratch_bytes: 1 << 20,
            scratch_inodes: 64,
            weights: Weights::default(),
            owns_tmp: false,
            scratch_parent: None,
        }
    }
}

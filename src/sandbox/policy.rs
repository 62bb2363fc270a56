//! What is wanted, as plain data: the limits of one worker.

use rustix::process::Resource;
use serde::{Deserialize, Serialize};

/// User and group id that a script sees as its own. The runtime's /etc/passwd calls it `sandbox`.
pub const WORKER_ID: u32 = 1000;

/// Where the scratch directory is, for a script: its working directory, `HOME` and `TMPDIR`.
pub const SCRATCH: &str = "/tmp";

/// Shared memory and semaphores of POSIX live here (shm_overview(7)). It is part of the scratch space.
pub const SHARED_MEMORY: &str = "/dev/shm";

/// Devices that a script finds in /dev; each is harmless to everybody. No /dev/zero: mapped, it is shared memory that no
/// process's account shows.
pub const DEVICES: [&str; 4] = ["null", "full", "random", "urandom"];

/// How much more a worker is niced than the service and its guard, which must get their turn however busy it is.
pub const NICENESS: i32 = 5;

/// Main threads get this much stack, and the C library gives threads of Python as much; bytes.
pub const STACK_BYTES: u64 = 8 << 20;

/// The limits of one job's whole process tree.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Policy {
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
}

impl Policy {
    /// The resource limits that do not depend on the job (getrlimit(2)); soft and hard limit are the same.
    pub fn rlimits(&self) -> [(Resource, u64); 9] {
        [
            (Resource::Nofile, self.max_open_files),
            // Counted per user namespace since Linux 5.14, and each worker has its own.
            (Resource::Nproc, self.max_processes),
            (Resource::Fsize, self.scratch_bytes),
            (Resource::Core, 0),
            // Locked memory cannot be reclaimed, message queues live in kernel memory: no script needs either.
            (Resource::Memlock, 64 * 1024),
            (Resource::Msgqueue, 0),
            (Resource::Rtprio, 0),
            (Resource::Nice, 0),
            (Resource::Sigpending, 1024),
        ]
    }
}

//! A cgroup of a test's own, by which the kernel says how much memory the processes in it have, its own for them included.

use std::ffi::OsString;
use std::path::PathBuf;

use super::unique;

/// Removed when dropped.
pub struct MemoryGroup {
    path: PathBuf,
    files: Files,
}

/// What the files are called that tell the usage, and that have the kernel take back what it can.
#[derive(Clone, Copy)]
struct Files {
    root: &'static str,
    usage: &'static str,
    reclaim: &'static str,
    limit: &'static str,
}

const VERSIONS: [Files; 2] = [
    Files {
        root: "/sys/fs/cgroup/memory",
        usage: "memory.usage_in_bytes",
        reclaim: "memory.force_empty",
        limit: "memory.limit_in_bytes",
    },
    Files { root: "/sys/fs/cgroup", usage: "memory.current", reclaim: "memory.reclaim", limit: "memory.max" },
];

impl MemoryGroup {
    /// Makes one, in whichever version of the hierarchy counts memory.
    pub fn make() -> Self {
        for files in VERSIONS {
            let path = PathBuf::from(files.root).join(format!("py-executor-test-{}", unique()));
            if std::fs::create_dir(&path).is_ok() {
                if path.join(files.usage).exists() {
                    return Self { path, files };
                }
                let _ = std::fs::remove_dir(&path);
            }
        }
        panic!("no memory cgroup can be made: start the tests as root of a machine with cgroups")
    }

    /// The words that start a command in it.
    pub fn entrance(&self) -> Vec<OsString> {
        let words = ["sh", "-c", r#"echo $$ >"$1" && shift && exec "$@""#, "sh"];
        words.into_iter().map(OsString::from).chain([self.path.join("cgroup.procs").into_os_string()]).collect()
    }

    /// Bytes that the processes in it have.
    pub fn usage(&self) -> u64 {
        let text = std::fs::read_to_string(self.path.join(self.files.usage)).expect("the group is there");
        text.trim().parse().expect("a number of bytes")
    }

    /// Lets the processes in it have no more than this.
    pub fn limit(&self, bytes: u64) {
        std::fs::write(self.path.join(self.files.limit), bytes.to_string()).expect("there is a limit");
    }

    /// Has the kernel take back what it can: as it does by itself when memory is short.
    pub fn reclaim(&self) {
        // It says so if it could not have as much as was asked for.
        let _ = std::fs::write(self.path.join(self.files.reclaim), "1G");
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Its processes have been killed, but may not be gone yet.
        for _ in 0..250 {
            if std::fs::remove_dir(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

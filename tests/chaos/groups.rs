//! Control groups of the service's own, where the machine lets us make some: nothing else is ever in them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Fallible;

/// How every group is called that this program makes; its process id follows.
const NAME: &str = "py-executor-chaos-";

/// Files of a controller that bounds a quantity.
struct Controller {
    /// Where groups of it are made.
    root: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// Where it is counted how often the kernel has killed a process, as `oom_kill`.
    kills: &'static str,
    /// What is written for no limit.
    none: &'static str,
}

const PIDS: [Controller; 2] = [
    Controller { root: "/sys/fs/cgroup/pids", limit: "pids.max", usage: "pids.current", kills: "", none: "max" },
    Controller { root: "/sys/fs/cgroup", limit: "pids.max", usage: "pids.current", kills: "", none: "max" },
];

const MEMORY: [Controller; 2] = [
    Controller {
        root: "/sys/fs/cgroup/memory",
        limit: "memory.limit_in_bytes",
        usage: "memory.usage_in_bytes",
        kills: "memory.oom_control",
        none: "-1",
    },
    Controller {
        root: "/sys/fs/cgroup",
        limit: "memory.max",
        usage: "memory.current",
        kills: "memory.events",
        none: "max",
    },
];

/// A group for the processes of one service. Removed when dropped.
pub struct Group {
    path: PathBuf,
    controller: &'static Controller,
}

/// What the groups of a service are; none where the machine does not let us make one.
pub struct Groups {
    pub pids: Option<Group>,
    pub memory: Option<Group>,
}

impl Groups {
    pub fn make() -> Self {
        let number = std::process::id();
        Self { pids: Group::first(&PIDS, number), memory: Group::first(&MEMORY, number) }
    }

    /// What bounds processes and memory, for the report.
    pub fn words(&self) -> String {
        let words = |group: &Option<Group>, instead: &str| match group {
            Some(group) => format!("control group {}", group.path.display()),
            None => instead.to_owned(),
        };
        let (pids, memory) = (words(&self.pids, "prlimit(2)"), words(&self.memory, "kills by the kernel's own scores"));
        format!("processes by {pids}, memory by {memory}")
    }

    /// The words that start a command in these groups, before it has any child.
    pub fn entrance(&self) -> Vec<String> {
        let groups = self.pids.iter().chain(&self.memory).map(|group| group.processes().display().to_string());
        let enter = r#"while [ "$1" != -- ]; do echo $$ >"$1" || exit; shift; done; shift; exec "$@""#;
        let words = ["sh", "-c", enter, "sh"].map(str::to_owned);
        words.into_iter().chain(groups).chain(["--".to_owned()]).collect()
    }
}

impl Group {
    /// A group of the first controller that is there and can be used.
    fn first(controllers: &'static [Controller], number: u32) -> Option<Self> {
        controllers.iter().find_map(|controller| {
            remove_leftovers(Path::new(controller.root));
            let path = Path::new(controller.root).join(format!("{NAME}{number}"));
            match std::fs::create_dir(&path) {
                // In the second version, both controllers have the same group.
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return None,
                _ => {}
            }
            let group = Self { path, controller };
            (group.usage().is_ok() && group.lets_in()).then_some(group)
        })
    }

    fn processes(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Whether a process can enter: a container may show groups that it does not own.
    fn lets_in(&self) -> bool {
        let mut enter = Command::new("sh");
        enter.args(["-c", r#"echo $$ >"$1""#, "sh"]).arg(self.processes()).stderr(Stdio::null());
        enter.status().is_ok_and(|status| status.success())
    }

    /// How much all processes in it have, in bytes or processes.
    pub fn usage(&self) -> Fallible<u64> {
        let path = self.path.join(self.controller.usage);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        text.trim().parse().map_err(|error| format!("{}: {error}", path.display()))
    }

    /// How often the kernel has killed one of its processes for want of memory; older kernels do not say.
    pub fn kills(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.path.join(self.controller.kills)).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }

    /// Bounds it until what this gives is dropped.
    pub fn bound(&self, limit: u64) -> Fallible<Bounded<'_>> {
        // First what can be taken away again also if this fails halfway.
        let bounded = Bounded(self);
        self.write(&limit.to_string())?;
        Ok(bounded)
    }

    fn write(&self, limit: &str) -> Fallible<()> {
        let path = self.path.join(self.controller.limit);
        std::fs::write(&path, limit).map_err(|error| format!("{} = {limit}: {error}", path.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes have been killed, but may not be gone yet.
        let deadline = Instant::now() + Duration::from_secs(5);
        while std::fs::remove_dir(&self.path).is_err() && self.path.exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A group with a limit, which is taken away when this is dropped.
pub struct Bounded<'a>(&'a Group);

impl Drop for Bounded<'_> {
    fn drop(&mut self) {
        if let Err(words) = self.0.write(self.0.controller.none) {
            eprintln!("chaos: {words}");
        }
    }
}

/// Empty groups of runs that were killed. One with a process in it cannot be removed.
fn remove_leftovers(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(NAME) {
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}

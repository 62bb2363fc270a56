//! Resource limits of running processes, lowered for a while. As their own user, by prlimit(1): as root it takes a
//! capability that not every container has.

use std::process::{Command, Stdio};

use super::Fallible;

/// A limit that processes have.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    OpenFiles,
    Processes,
}

impl Limit {
    fn option(self) -> &'static str {
        match self {
            Self::OpenFiles => "--nofile",
            Self::Processes => "--nproc",
        }
    }

    /// As /proc/PID/limits calls it.
    fn title(self) -> &'static str {
        match self {
            Self::OpenFiles => "Max open files",
            Self::Processes => "Max processes",
        }
    }

    /// What a process may have at the moment: a number, or `unlimited`. None when it is gone.
    fn of(self, pid: u32) -> Option<String> {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
        let soft = limits.lines().find_map(|line| line.strip_prefix(self.title())?.split_whitespace().next());
        soft.map(str::to_owned)
    }

    fn set(self, pid: u32, soft: &str) -> Fallible<()> {
        let Some(owner) = user(pid) else { return Ok(()) };
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &owner, "--regid", &owner, "--clear-groups", "prlimit"]);
        command.args(["--pid", &pid.to_string(), &format!("{}={soft}:", self.option())]);
        let output = command.stdin(Stdio::null()).output().map_err(|error| format!("setpriv: {error}"))?;
        if output.status.success() || user(pid).is_none() {
            return Ok(());
        }
        Err(format!("prlimit {}={soft}: {}", self.option(), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// Processes with a lowered limit, which get back what they had when this is dropped.
pub struct Lowered {
    limit: Limit,
    before: Vec<(u32, String)>,
}

impl Lowered {
    /// Lowers the soft limit of each of these. Who is gone meanwhile needs none.
    pub fn new(pids: &[u32], limit: Limit, soft: usize) -> Fallible<Self> {
        let mut lowered = Self { limit, before: Vec::new() };
        for pid in pids {
            if let Some(before) = limit.of(*pid) {
                lowered.before.push((*pid, before));
                limit.set(*pid, &soft.to_string())?;
            }
        }
        if lowered.before.is_empty() { Err(format!("no process to lower {limit:?} of")) } else { Ok(lowered) }
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        for (pid, before) in &self.before {
            if let Err(words) = self.limit.set(*pid, before) {
                eprintln!("chaos: {words}");
            }
        }
    }
}

/// The number of a process's user, which is also its group's.
fn user(pid: u32) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    uids.split_whitespace().next().map(str::to_owned)
}

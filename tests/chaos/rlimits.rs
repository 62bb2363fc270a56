//! Resource limits of running processes, lowered for a while.

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::Fallible;

/// Processes with a lowered limit, which get back what they had when this is dropped.
pub struct Lowered {
    resource: Resource,
    before: Vec<(Pid, Rlimit)>,
}

impl Lowered {
    /// Lowers the soft limit of each of these. Who is gone meanwhile needs none.
    pub fn new(pids: &[u32], resource: Resource, limit: u64) -> Fallible<Self> {
        let mut lowered = Self { resource, before: Vec::new() };
        for pid in pids.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
            let Ok(maximum) = hard_limit(pid, resource) else { continue };
            match prlimit(Some(pid), resource, Rlimit { current: Some(limit), maximum }) {
                Ok(before) => lowered.before.push((pid, before)),
                Err(Errno::SRCH) => {}
                Err(error) => return Err(format!("prlimit {resource:?}: {error}")),
            }
        }
        if lowered.before.is_empty() { Err(format!("no process to lower {resource:?} of")) } else { Ok(lowered) }
    }
}

/// What a process could raise its limit to: what is lowered is put back, which a lowered hard limit might not be.
fn hard_limit(pid: Pid, resource: Resource) -> Result<Option<u64>, Errno> {
    let name = if resource == Resource::Nproc { "Max processes" } else { "Max open files" };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).map_err(|_| Errno::SRCH)?;
    let words = limits.lines().find_map(|line| line.strip_prefix(name)).ok_or(Errno::SRCH)?;
    // Soft, hard, unit; `unlimited` is no number.
    Ok(words.split_whitespace().nth(1).and_then(|hard| hard.parse().ok()))
}

impl Drop for Lowered {
    fn drop(&mut self) {
        for (pid, before) in &self.before {
            // It may have ended.
            let _ = prlimit(Some(*pid), self.resource, before.clone());
        }
    }
}

//! The memory of a job's whole process tree, as its guard sees it.

use std::fs;
use std::io;

/// Bytes that the processes visible in this PID namespace use together, or something less than `limit` if they are
/// clearly below it.
///
/// The cheap figure comes first: resident pages, which count a page once for each process that shares it. Only when
/// that is over the limit are shared pages divided among their users (`Pss` of proc_pid_smaps(5)), which costs the
/// kernel a walk over all pages. The guard itself (process 1) is not part of the job.
pub fn used(limit: u64) -> io::Result<u64> {
    let processes = processes()?;
    let files = scratch_bytes();
    let resident: u64 = processes.iter().map(|pid| resident(*pid)).sum::<u64>() + files;
    if resident <= limit {
        return Ok(resident);
    }
    Ok(processes.iter().map(|pid| proportional(*pid)).sum::<u64>() + files)
}

fn processes() -> io::Result<Vec<u32>> {
    let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.filter(|pid| *pid != 1).collect())
}

/// A process that has just ended uses nothing.
fn resident(pid: u32) -> u64 {
    let pages = |statm: String| statm.split(' ').nth(1)?.parse::<u64>().ok();
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok();
    statm.and_then(pages).unwrap_or(0) * rustix::param::page_size() as u64
}

fn proportional(pid: u32) -> u64 {
    let kilobytes = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    rollup.and_then(kilobytes).map_or_else(|| resident(pid), |kilobytes| kilobytes * 1024)
}

/// What lies in the scratch space is memory too.
fn scratch_bytes() -> u64 {
    rustix::fs::statvfs(super::policy::SCRATCH).map_or(0, |stat| (stat.f_blocks - stat.f_bfree) * stat.f_frsize)
}

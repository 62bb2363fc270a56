//! The memory of a job's whole process tree, as its guard sees it.
//!
//! What counts: resident pages, a shared page once; page tables; shared anonymous mappings, also where no page table
//! names their pages; files in the scratch space; what the buffers of open pipes and sockets can hold.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use super::policy::SCRATCH;

/// What a pipe's buffer holds (pipe(7)); scripts cannot make it larger.
const PIPE_BYTES: u64 = 64 * 1024;

/// What a socket may have under way to its peer (wmem_default of socket(7)); scripts cannot make it larger.
const SOCKET_BYTES: u64 = 208 * 1024;

/// Watches the processes of this PID namespace, but for the guard itself.
pub struct Watchdog {
    limit: u64,
    /// Address space of a fresh worker that is not private and writable: libraries, mostly.
    base: u64,
}

impl Watchdog {
    /// To be made when `worker` has not begun its job.
    pub fn new(worker: u32, limit: u64) -> Self {
        Self { limit, base: Figures::of(worker).map_or(0, |figures| figures.not_data()) }
    }

    /// Whether the tree uses more than it may.
    ///
    /// An upper bound that is cheap to read comes first. Only where that is over the limit is memory counted exactly,
    /// for which the kernel walks over all pages.
    pub fn exceeded(&self) -> bool {
        let processes = processes();
        let files = scratch_bytes();
        let bound: u64 = processes.iter().filter_map(|pid| self.bound(*pid)).sum();
        bound + files > self.limit && exact(&processes) + files > self.limit
    }

    fn bound(&self, pid: u32) -> Option<u64> {
        let figures = Figures::of(pid)?;
        let shared = figures.not_data().saturating_sub(self.base);
        Some(figures.resident + figures.page_tables + shared + open_files(pid) * SOCKET_BYTES)
    }
}

fn exact(processes: &[u32]) -> u64 {
    let mut shared = HashMap::new();
    let mut buffers = HashSet::new();
    let mut own = 0;
    for pid in processes {
        own += Figures::of(*pid).map_or(0, |figures| figures.page_tables + private_share(*pid, figures.resident));
        for (mapping, bytes) in shared_anonymous(*pid) {
            let largest = shared.entry(mapping).or_default();
            *largest = bytes.max(*largest);
        }
        buffers.extend(pipes_and_sockets(*pid));
    }
    let buffers = buffers.iter().map(|link| if link.starts_with("pipe:") { PIPE_BYTES } else { SOCKET_BYTES });
    own + shared.values().sum::<u64>() + buffers.sum::<u64>()
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| *pid != 1).collect()
}

/// What /proc/PID/status says of a process's memory (proc_pid_status(5)), in bytes.
struct Figures {
    size: u64,
    data: u64,
    resident: u64,
    page_tables: u64,
}

impl Figures {
    /// `None` for a process that has ended.
    fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name| kilobytes(&status, name);
        let (size, data) = (field("VmSize:")?, field("VmData:")?);
        Some(Self { size, data, resident: field("VmRSS:")?, page_tables: field("VmPTE:").unwrap_or(0) })
    }

    fn not_data(&self) -> u64 {
        self.size.saturating_sub(self.data)
    }
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Its share of resident pages, a page divided among those who map it (proc_pid_smaps(5)), without shared memory, which
/// is counted where it lies. `resident` is what counts where the kernel does not say.
fn private_share(pid: u32, resident: u64) -> u64 {
    let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { return resident };
    let share = kilobytes(&rollup, "Pss:").unwrap_or(resident);
    share.saturating_sub(kilobytes(&rollup, "Pss_Shmem:").unwrap_or(0))
}

/// The sizes of its shared anonymous mappings, by their inode. The kernel shows them as a deleted /dev/zero.
fn shared_anonymous(pid: u32) -> HashMap<String, u64> {
    let mut found = HashMap::new();
    for line in fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default().lines() {
        if !line.ends_with("/dev/zero (deleted)") {
            continue;
        }
        let mut fields = line.split_ascii_whitespace();
        let extent = fields.next().and_then(|range| {
            let (start, end) = range.split_once('-')?;
            Some(u64::from_str_radix(end, 16).ok()? - u64::from_str_radix(start, 16).ok()?)
        });
        if let (Some(extent), Some(inode)) = (extent, fields.nth(3)) {
            *found.entry(inode.to_owned()).or_default() += extent;
        }
    }
    found
}

/// The number of open descriptors: the size of the directory says it (Linux 6.2), or the number of its entries.
fn open_files(pid: u32) -> u64 {
    let directory = format!("/proc/{pid}/fd");
    match fs::metadata(&directory).map_or(0, |metadata| metadata.len()) {
        0 => fs::read_dir(&directory).map_or(0, |entries| entries.count() as u64),
        number => number,
    }
}

/// Pipes and sockets that it has open, each by its name in the kernel.
fn pipes_and_sockets(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let named = |link: &Path| link.to_str().map(str::to_owned);
    let links = links.filter_map(|link| named(&link));
    links.filter(|link| link.starts_with("pipe:") || link.starts_with("socket:")).collect()
}

/// What lies in the scratch space is memory too.
fn scratch_bytes() -> u64 {
    rustix::fs::statvfs(SCRATCH).map_or(0, |stat| (stat.f_blocks - stat.f_bfree) * stat.f_frsize)
}

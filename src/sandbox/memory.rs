//! The memory of a job's whole process tree, as its guard sees it.
//!
//! What counts: resident pages, a shared page once; page tables; files in the scratch space; what the buffers of open
//! pipes and sockets can hold, and what epoll keeps. Memory that none of this shows is refused by the system call filter.

use std::collections::HashSet;
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::policy::SCRATCH;

/// What a pipe's buffer holds (pipe(7)); scripts cannot make it larger.
const PIPE_BYTES: u64 = 64 * 1024;

/// What a socket may have under way to its peer (wmem_default of socket(7)); scripts cannot make it larger.
const SOCKET_BYTES: u64 = 208 * 1024;

/// What epoll keeps for each descriptor that it watches (epoll(7), max_user_watches).
const WATCH_BYTES: u64 = 160;

/// A child that subprocess has made shares its parent's memory until it executes its program, which takes about a
/// millisecond (vfork(2)), and is counted twice as long.
const SECOND_LOOK: Duration = Duration::from_millis(3);

/// Watches the processes of a PID namespace, but for the guard itself.
pub struct Watchdog {
    proc: PathBuf,
    limit: u64,
}

impl Watchdog {
    /// `proc` is a /proc that hides nothing and stays open; `limit` is in bytes.
    pub fn new(proc: BorrowedFd<'_>, limit: u64) -> Self {
        Self { proc: PathBuf::from(format!("/proc/self/fd/{}", proc.as_raw_fd())), limit }
    }

    /// Whether the processes use more memory than they may.
    ///
    /// An upper bound that is cheap to read comes first. Only where that is over the limit is memory counted exactly,
    /// for which the kernel walks over all pages; and only where that is over the limit twice, it is.
    pub fn exceeded(&self) -> bool {
        let look = || self.over(Process::bound) && self.over(Process::exact);
        look() && {
            std::thread::sleep(SECOND_LOOK);
            look()
        }
    }

    /// Adds up until it is clear.
    fn over(&self, figure: fn(&Process, &mut HashSet<String>) -> u64) -> bool {
        let mut buffers = HashSet::new();
        let mut sum = scratch_bytes();
        for process in self.processes() {
            sum = sum.saturating_add(figure(&process, &mut buffers));
            if sum > self.limit {
                return true;
            }
        }
        false
    }

    fn processes(&self) -> impl Iterator<Item = Process> {
        let entries = fs::read_dir(&self.proc).into_iter().flatten().filter_map(Result::ok);
        let is_process = |name: &str| name != "1" && name.bytes().all(|byte| byte.is_ascii_digit());
        let directories = entries.filter(move |entry| entry.file_name().to_str().is_some_and(is_process));
        directories.filter_map(|entry| Process::new(&entry.path()))
    }
}

/// A process, by a directory in /proc and what its status says (proc_pid_status(5)).
struct Process {
    directory: PathBuf,
    resident: u64,
    page_tables: u64,
}

impl Process {
    /// `None` for a process that has ended. One whose main thread has ended shows nothing of its memory, but its other
    /// threads do.
    fn new(directory: &Path) -> Option<Self> {
        Self::at(directory.to_owned()).or_else(|| {
            let mut threads = fs::read_dir(directory.join("task")).ok()?;
            threads.find_map(|entry| Self::at(entry.ok()?.path()))
        })
    }

    fn at(directory: PathBuf) -> Option<Self> {
        let status = fs::read_to_string(directory.join("status")).ok()?;
        let resident = kilobytes(&status, "VmRSS:")?;
        Some(Self { directory, resident, page_tables: kilobytes(&status, "VmPTE:").unwrap_or(0) })
    }

    fn bound(&self, _: &mut HashSet<String>) -> u64 {
        let files = self.open_files();
        self.resident + self.page_tables + files * SOCKET_BYTES.max(files * WATCH_BYTES)
    }

    /// `buffers` are those that have been counted already.
    fn exact(&self, buffers: &mut HashSet<String>) -> u64 {
        let (mut files, mut epolls, mut buffered) = (0, 0, 0);
        let entries = fs::read_dir(self.directory.join("fd")).into_iter().flatten();
        for link in entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()) {
            let link = link.to_string_lossy();
            files += 1;
            match link.split(':').next() {
                Some("pipe") if buffers.insert(link.to_string()) => buffered += PIPE_BYTES,
                Some("socket") if buffers.insert(link.to_string()) => buffered += SOCKET_BYTES,
                _ => epolls += u64::from(link == "anon_inode:[eventpoll]"),
            }
        }
        self.share() + self.page_tables + buffered + epolls * files * WATCH_BYTES
    }

    /// The number of open descriptors: the size of the directory says it (Linux 6.2), or the number of its entries.
    fn open_files(&self) -> u64 {
        let directory = self.directory.join("fd");
        match fs::metadata(&directory).map_or(0, |metadata| metadata.len()) {
            0 => fs::read_dir(&directory).map_or(0, |entries| entries.count() as u64),
            number => number,
        }
    }

    /// Its share of resident pages, a page divided among those who map it (proc_pid_smaps(5)), without the scratch
    /// space's, which are counted as files. All of them where the kernel does not say.
    fn share(&self) -> u64 {
        let Ok(rollup) = fs::read_to_string(self.directory.join("smaps_rollup")) else { return self.resident };
        let share = kilobytes(&rollup, "Pss:").unwrap_or(self.resident);
        share.saturating_sub(kilobytes(&rollup, "Pss_Shmem:").unwrap_or(0))
    }
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// What lies in the scratch space is memory too.
fn scratch_bytes() -> u64 {
    rustix::fs::statvfs(SCRATCH).map_or(0, |stat| (stat.f_blocks - stat.f_bfree) * stat.f_frsize)
}

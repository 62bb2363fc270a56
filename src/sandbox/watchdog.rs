//! The memory, processes and files of a job's whole process tree, as its guard sees them.
//!
//! What counts as memory: resident pages, a shared page once; page tables and the kernel's lists of mappings and file
//! locks; files in memory; what the buffers of open pipes and sockets can hold, and what epoll keeps. Memory that none of
//! this shows is refused by the system call filter.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Dir, Mode, OFlags, open};
use rustix::process::Pid;

use super::scratch::{Scratch, Usage};
use super::{Mechanism, Policy};
use crate::protocol::Excess;
use crate::sys::{Rusage, cpu_time, have_the_same_memory};

/// What a pipe's buffer holds (pipe(7)); scripts cannot make it larger.
const PIPE_BYTES: u64 = 64 * 1024;

/// What a socket may have under way to its peer (wmem_default of socket(7)); scripts cannot make it larger.
const SOCKET_BYTES: u64 = 208 * 1024;

/// What the kernel keeps for a mapping (struct vm_area_struct, and its place in the tree of them) and for a record lock
/// (struct file_lock) is about 200 bytes. They count for more, because counting many takes seconds, in which there come
/// to be more. Locks above all: while others are made, the kernel takes some 20 milliseconds for every 80 that it lists
/// (file_rwsem in fs/locks.c), so that half a million would take minutes.
const MAPPING_BYTES: u64 = 1024;
const LOCK_BYTES: u64 = 64 * 1024;

/// More mappings than this no process can have (vm.max_map_count in proc_sys_vm(5)), unless the host allows it.
const MAX_MAPPINGS: u64 = 65_530;

/// Where it cannot be asked whose memory is the same: a child that subprocess has made has its parent's until it executes
/// its program, which takes about a millisecond (vfork(2)), and is counted twice as long.
const SECOND_LOOK: Duration = Duration::from_millis(3);

/// Watches a worker and all its descendants.
pub struct Watchdog<'a> {
    policy: &'a Policy,
    scratch: &'a Scratch,
    worker: Pid,
    /// Bytes that a sealed worker had mapped otherwise than for itself when its job began.
    mapped_at_first: u64,
    /// Says that there is something more urgent to do than to go on counting.
    interrupted: &'a dyn Fn() -> bool,
}

impl<'a> Watchdog<'a> {
    /// The working directory must be a /proc that hides nothing.
    pub fn new(policy: &'a Policy, scratch: &'a Scratch, worker: Pid, interrupted: &'a dyn Fn() -> bool) -> Self {
        Self { policy, scratch, worker, mapped_at_first: 0, interrupted }
    }

    /// Bytes that the worker maps and that are not its own private memory. Where it is sealed, what comes to be more is
    /// shared memory without a name: it stays when no page table names it any more, so no other figure shows it.
    pub fn mapped(&self) -> u64 {
        self.processes().iter().map(Process::mapped).sum()
    }

    /// Counts what is mapped beyond this.
    pub fn mapped_at_first(self, mapped_at_first: u64) -> Self {
        Self { mapped_at_first, ..self }
    }

    /// The limit that the processes are over, if they are.
    pub fn exceeded(&self) -> Option<Excess> {
        if self.is_overcrowded() {
            return Some(Excess::Processes);
        }
        let processes = self.processes();
        if self.too_much_memory(&processes) {
            return Some(Excess::Memory);
        }
        self.too_much_scratch(&processes).then_some(Excess::Scratch)
    }

    /// Whether the watchdog can see what it is to watch.
    pub fn sees_worker(&self) -> bool {
        !self.processes().is_empty()
    }

    /// What the processes of the PID namespace have used so far, with those of their children that they have waited for.
    /// `None` where the worker cannot be asked any more, or there is no such namespace.
    pub fn used(&self) -> Option<Rusage> {
        let has_worker = || Process::new(Path::new(&self.worker.as_raw_nonzero().get().to_string())).is_some();
        (self.policy.has(Mechanism::Namespaces) && has_worker()).then(|| {
            let mut sum = Rusage::default();
            for number in Self::numbers() {
                sum.add(used(&number));
            }
            sum
        })
    }

    /// Whether there are more processes and threads than there may be: only where no resource limit counts the worker's
    /// alone. Quick, while there are not many.
    pub fn is_overcrowded(&self) -> bool {
        let threads = || self.processes().iter().map(|process| process.threads).sum::<u64>();
        !self.policy.has(Mechanism::Namespaces) && threads() > self.policy.max_processes
    }

    /// An upper bound that is cheap to read comes first. Only where that is over the limit is memory counted exactly, for
    /// which the kernel walks over all pages; and only where that is over the limit twice, it is. What the kernel keeps
    /// for mappings and locks is slow to count where there is much of it, and once is enough.
    fn too_much_memory(&self, processes: &[Process]) -> bool {
        let locks = self.locks(processes) * LOCK_BYTES;
        // Each time anew: what a script maps for a moment and does not use is no memory.
        let base = |processes: &[Process]| self.scratch.memory() + locks + self.hidden(processes);
        if !self.over(base(processes), processes, |process, _| process.bound(self.policy)) {
            return false;
        }
        if self.over(locks, processes, |process, _| process.mappings() * MAPPING_BYTES) {
            return true;
        }
        let exact = |processes: &[Process]| {
            self.over(base(processes), processes, |process, seen| process.exact(self.policy, processes, seen))
        };
        exact(processes) && {
            std::thread::sleep(SECOND_LOOK);
            exact(&self.processes())
        }
    }

    /// Adds up until it is clear.
    fn over(&self, base: u64, processes: &[Process], figure: impl Fn(&Process, &mut HashSet<String>) -> u64) -> bool {
        let (mut sum, mut buffers) = (base, HashSet::new());
        sum > self.policy.memory_bytes
            || processes.iter().take_while(|_| !(self.interrupted)()).any(|process| {
                sum = sum.saturating_add(figure(process, &mut buffers));
                sum > self.policy.memory_bytes
            })
    }

    /// What elsewhere the filter refuses to make.
    fn hidden(&self, processes: &[Process]) -> u64 {
        if self.policy.has(Mechanism::Seccomp) {
            return 0;
        }
        let mapped: u64 =
            if self.policy.has(Mechanism::Seal) { processes.iter().map(Process::mapped).sum() } else { 0 };
        crate::sys::ipc_bytes() + mapped.saturating_sub(self.mapped_at_first)
    }

    /// Files without a name are found where they are open or mapped.
    fn too_much_scratch(&self, processes: &[Process]) -> bool {
        let Some(Usage { bytes, inodes }) = self.scratch.usage(self.policy) else { return false };
        let hidden: u64 =
            if self.policy.has(Mechanism::Scratch) { 0 } else { processes.iter().map(Process::unlinked_bytes).sum() };
        bytes + hidden > self.policy.scratch_bytes || inodes > self.policy.scratch_inodes
    }

    /// Record locks that the processes hold, each a line of /proc/locks with the process's number (proc_locks(5)). Those
    /// that belong to an open file instead have no number; the filter refuses to make any. The /proc of a PID namespace shows
    /// no others than its own processes'.
    fn locks(&self, processes: &[Process]) -> u64 {
        let Ok(file) = fs::File::open("locks") else { return 0 };
        let are_all_ours = self.policy.has(Mechanism::Namespaces);
        let numbers = |processes: &[Process]| -> HashSet<OsString> {
            processes.iter().filter_map(|process| process.directory.file_name().map(OsStr::to_owned)).collect()
        };
        let (mut held, mut line, mut ours) = (0, Vec::new(), numbers(processes));
        let mut file = BufReader::with_capacity(64 * 1024, file);
        for read in 1_u64.. {
            // No more than are too many.
            if held * LOCK_BYTES > self.policy.memory_bytes {
                break;
            }
            if read.is_multiple_of(1024) {
                if (self.interrupted)() {
                    break;
                }
                // There may be more by now: to read the list takes long where it is long.
                ours = if are_all_ours { ours } else { numbers(&self.processes()) };
            }
            line.clear();
            if !file.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                break;
            }
            let holder = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).nth(4);
            let is_ours = |number: &[u8]| are_all_ours || ours.contains(OsStr::from_bytes(number));
            held += u64::from(holder.is_some_and(is_ours));
        }
        held
    }

    fn processes(&self) -> Vec<Process> {
        if self.policy.has(Mechanism::Namespaces) { Self::in_namespace() } else { self.below() }
    }

    /// All processes of the PID namespace but the guard itself.
    fn in_namespace() -> Vec<Process> {
        Self::numbers().into_iter().filter_map(|number| Process::new(Path::new(&number))).collect()
    }

    fn numbers() -> Vec<String> {
        let is_process = |name: &String| name != "1" && name.bytes().all(|byte| byte.is_ascii_digit());
        names(Path::new(".")).into_iter().filter(is_process).collect()
    }

    /// The children of the guard, to whom orphans come, and theirs.
    fn below(&self) -> Vec<Process> {
        let mut found = Vec::new();
        let mut pending = children(Path::new("self"));
        if pending.is_empty() {
            pending.push(self.worker.as_raw_nonzero().get().to_string());
        }
        // A tree that multiplies must not keep its guard busy with counting: one too many is enough.
        while found.len() as u64 <= self.policy.max_processes
            && let Some(number) = pending.pop()
        {
            let directory = PathBuf::from(number);
            pending.extend(children(&directory));
            found.extend(Process::new(&directory));
        }
        found
    }
}

/// What is in a directory of /proc; nothing if it is gone.
fn names(directory: &Path) -> Vec<String> {
    entries(directory).unwrap_or_default()
}

/// Not by the C library, whose buffer nobody wipes (`sys::memory`).
fn entries(directory: &Path) -> io::Result<Vec<String>> {
    let opened = open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let found = Dir::read_from(&opened)?.filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned));
    Ok(found.filter(|name| !matches!(name.as_str(), "." | "..")).collect())
}

/// The children of a process's threads (proc_tid_children(5)).
pub(super) fn children(directory: &Path) -> Vec<String> {
    let tasks = directory.join("task");
    let lists =
        names(&tasks).into_iter().filter_map(|thread| fs::read_to_string(tasks.join(thread).join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// A process, by a directory in /proc and what its status says (proc_pid_status(5)).
struct Process {
    directory: PathBuf,
    number: Pid,
    parent: Option<Pid>,
    resident: u64,
    page_tables: u64,
    virtual_size: u64,
    threads: u64,
}

impl Process {
    /// `None` for a process that has ended. One whose main thread has ended shows nothing of its memory, but its other
    /// threads do.
    fn new(directory: &Path) -> Option<Self> {
        Self::at(directory.to_owned()).or_else(|| {
            let tasks = directory.join("task");
            names(&tasks).into_iter().find_map(|thread| Self::at(tasks.join(thread)))
        })
    }

    fn at(directory: PathBuf) -> Option<Self> {
        let status = fs::read_to_string(directory.join("status")).ok()?;
        Some(Self {
            directory,
            number: number(&status, "Tgid:")?,
            parent: number(&status, "PPid:"),
            resident: kilobytes(&status, "VmRSS:")?,
            page_tables: kilobytes(&status, "VmPTE:").unwrap_or(0),
            virtual_size: kilobytes(&status, "VmSize:").unwrap_or(0),
            threads: field(&status, "Threads:").and_then(|number| number.parse().ok()).unwrap_or(1),
        })
    }

    /// The same one as it is now: what cannot be read of it may be that of one that has ended.
    fn again(&self) -> Option<Self> {
        Self::new(Path::new(&self.number.as_raw_nonzero().to_string()))
    }

    fn bound(&self, policy: &Policy) -> u64 {
        let files = self.open_files();
        let mappings = (self.virtual_size / rustix::param::page_size() as u64).min(MAX_MAPPINGS);
        let buffers = files * SOCKET_BYTES.max(files * policy.watch_bytes);
        self.resident + self.page_tables + mappings * MAPPING_BYTES + buffers
    }

    /// One of `all`. `buffers` are those that have been counted already.
    fn exact(&self, policy: &Policy, all: &[Self], buffers: &mut HashSet<String>) -> u64 {
        let (mut files, mut epolls, mut buffered) = (0, 0, 0);
        // Where it cannot be read, the bound is all that is known.
        let directory = self.directory.join("fd");
        let Ok(numbers) = entries(&directory) else { return self.again().map_or(0, |now| now.bound(policy)) };
        for link in numbers.into_iter().filter_map(|number| fs::read_link(directory.join(number)).ok()) {
            let link = link.to_string_lossy();
            files += 1;
            match link.split(':').next() {
                Some("pipe") if buffers.insert(link.to_string()) => buffered += PIPE_BYTES,
                Some("socket") if buffers.insert(link.to_string()) => buffered += SOCKET_BYTES,
                _ => epolls += u64::from(link == "anon_inode:[eventpoll]"),
            }
        }
        let watches = epolls * files * policy.watch_bytes;
        let memory = if self.has_memory_of_its_parent(all) {
            0
        } else {
            self.share() + self.page_tables + self.mappings() * MAPPING_BYTES
        };
        memory + buffered + watches
    }

    /// Whether it is a child whose memory is counted as that of its parent, which is one of `all`.
    fn has_memory_of_its_parent(&self, all: &[Self]) -> bool {
        self.parent.is_some_and(|parent| {
            have_the_same_memory(self.number, parent) && all.iter().any(|process| process.number == parent)
        })
    }

    /// The size of all mappings but private writable ones and code (proc_pid_statm(5)); bytes.
    fn mapped(&self) -> u64 {
        let statm = fs::read_to_string(self.directory.join("statm")).unwrap_or_default();
        let pages: Vec<u64> = statm.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        let [size, _, _, text, _, data, ..] = pages[..] else { return 0 };
        size.saturating_sub(text + data) * rustix::param::page_size() as u64
    }

    fn mappings(&self) -> u64 {
        count_lines(&fs::read(self.directory.join("maps")).unwrap_or_default())
    }

    /// Bytes of files that are open or mapped and have no name any more.
    fn unlinked_bytes(&self) -> u64 {
        let directory = self.directory.join("fd");
        let open = names(&directory).into_iter().filter_map(|number| fs::metadata(directory.join(number)).ok());
        let open: u64 = open.filter(|file| file.is_file() && file.nlink() == 0).map(|file| file.blocks() * 512).sum();
        let maps = fs::read_to_string(self.directory.join("maps")).unwrap_or_default();
        let mapped: u64 = maps.lines().filter(|line| line.ends_with(" (deleted)")).map(length_of_mapping).sum();
        open + mapped
    }

    /// The number of open descriptors: the size of the directory says it (Linux 6.2), or the number of its entries.
    fn open_files(&self) -> u64 {
        let directory = self.directory.join("fd");
        match fs::metadata(&directory).map_or(0, |metadata| metadata.len()) {
            0 => names(&directory).len() as u64,
            number => number,
        }
    }

    /// Its share of resident pages, a page divided among those who map it (proc_pid_smaps(5)), without the scratch
    /// space's, which are counted as files. All of them where the kernel does not say.
    fn share(&self) -> u64 {
        let Ok(rollup) = fs::read_to_string(self.directory.join("smaps_rollup")) else {
            return self.again().map_or(0, |now| now.resident);
        };
        let share = kilobytes(&rollup, "Pss:").unwrap_or(self.resident);
        share.saturating_sub(kilobytes(&rollup, "Pss_Shmem:").unwrap_or(0))
    }
}

/// What a process has used, also one that has ended and is not waited for yet; and the processor time of children that it
/// has waited for, to a hundredth of a second (cutime and cstime of proc_pid_stat(5)).
fn used(number: &str) -> Rusage {
    let read = |file: &str| fs::read_to_string(Path::new(number).join(file)).unwrap_or_default();
    let own = number.parse().ok().and_then(Pid::from_raw).map(cpu_time).unwrap_or_default();
    // The name in front of the bracket may hold anything.
    let stat = read("stat");
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    let of_children = Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second());
    let max_rss_bytes = kilobytes(&read("status"), "VmHWM:").unwrap_or(0);
    Rusage { cpu: own + of_children, max_rss_bytes }
}

fn count_lines(text: &[u8]) -> u64 {
    text.split(|byte| *byte == b'\n').count() as u64 - 1
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn number(text: &str, name: &str) -> Option<Pid> {
    Pid::from_raw(field(text, name)?.parse().ok()?)
}

/// The size of the mapping that a line of maps begins with (proc_pid_maps(5)).
fn length_of_mapping(line: &str) -> u64 {
    let bounds = line.split(' ').next().and_then(|range| range.split_once('-'));
    let parsed = bounds.and_then(|(from, to)| {
        Some(u64::from_str_radix(to, 16).ok()?.saturating_sub(u64::from_str_radix(from, 16).ok()?))
    });
    parsed.unwrap_or(0)
}

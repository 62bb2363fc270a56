//! Processes of a job's tree, found in /proc and read there. The working directory is a /proc that hides nothing.
//!
//! A file that is gone belongs to a process that has ended. Any other failure to read one is [`Unreadable`].

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Dir, Mode, OFlags, open};
use rustix::process::Pid;

use super::procfs::{self, Activity, Memory, Stat, Status, Unlinked, Unreadable};
use super::returned::{Account, Figures};
use crate::sandbox::scratch::Usage;
use crate::sandbox::{Mechanism, Policy};
use crate::sys::have_the_same_memory;

/// Bytes that an open descriptor takes beside its buffers: the file, its inode and its name, or what stands for them
/// (struct file, struct socket_alloc, struct dentry, struct eventpoll: together less than this on 64-bit kernels).
const DESCRIPTOR_BYTES: u64 = 2048;

/// Bytes that the kernel keeps for a mapping: struct vm_area_struct and its part of a maple_node.
const MAPPING_BYTES: u64 = 512;

/// Bytes of the kernel's for a mapping and an ancestor of its process, also one that has ended: struct anon_vma_chain
/// (anon_vma_fork in mm/rmap.c), and a part of struct anon_vma.
const ANCESTOR_BYTES: u64 = 80;

/// Ancestors that each worker has: zygotes and the monitor.
const ANCESTORS: u64 = 4;

/// A process whose threads are shown nowhere is not taken for one that ends any more after this time.
const EXIT_TIME: Duration = Duration::from_millis(500);

/// A process of the tree.
pub(super) struct Process {
    pub number: Pid,
    /// Directory in /proc of the process, or of a thread of it that is left.
    directory: PathBuf,
    status: Status,
    /// Whether its first thread shows its memory; if not, another one does, or nobody.
    shows_itself: bool,
    /// Processes that it descends from.
    depth: u64,
    /// Whether it has threads that are shown nowhere: its first one has ended, and this /proc has no others (gVisor).
    has_hidden_threads: bool,
}

/// Parts of a tree that have been counted.
#[derive(Default)]
pub(super) struct Counted {
    /// Pipes and sockets, by their links.
    buffers: HashSet<Vec<u8>>,
    /// Memory that may have been counted twice: it cannot be asked whose it is. Bytes.
    pub twice: u64,
}

/// Processes that were seen before, so that none is lost sight of until it is gone.
#[derive(Default)]
pub(super) struct Known {
    processes: HashMap<Pid, Seen>,
    pub depths: Depths,
}

/// How many ancestors processes have, also those that have ended: the kernel keeps something for each of them and each mapping.
#[derive(Debug, Clone, Default)]
pub struct Depths {
    of: HashMap<Pid, u64>,
    deepest: u64,
    /// The number that was given to a process last.
    last_number: u64,
}

#[derive(Default)]
struct Seen {
    account: Account,
    /// Since when its threads are shown nowhere.
    hidden_since: Option<Instant>,
}

/// Processes of the tree, each once.
pub(super) struct Tree {
    pub processes: Vec<Process>,
}

impl Tree {
    /// Finds every process of the job.
    pub fn find(policy: &Policy, worker: Pid, known: &mut Known) -> Result<Self, Unreadable> {
        let mut processes =
            if policy.has(Mechanism::Namespaces) { in_namespace(policy)? } else { below(policy, worker, known)? };
        known.depths.find(worker, &mut processes)?;
        known.update(worker, &processes);
        Ok(Self { processes })
    }

    /// Processes and threads.
    pub fn tasks(&self) -> u64 {
        self.processes.iter().map(|process| process.status.threads).sum()
    }

    /// Memory of each process that is resident or swapped, bytes.
    pub fn resident(&self) -> HashMap<Pid, u64> {
        let memory = |process: &Process| Some((process.number, process.status.memory?));
        self.processes
            .iter()
            .filter_map(memory)
            .map(|(number, memory)| (number, memory.resident + memory.swapped))
            .collect()
    }
}

impl Known {
    /// Forgets processes that are gone, and knows those that have come.
    fn update(&mut self, worker: Pid, processes: &[Process]) {
        let mut before = std::mem::take(&mut self.processes);
        for process in processes {
            let new = || {
                let account = if process.number == worker { Account::of_worker() } else { Account::default() };
                Seen { account, hidden_since: None }
            };
            self.processes.insert(process.number, before.remove(&process.number).unwrap_or_else(new));
        }
    }

    /// Notes what a process has now. Gives what it counts for besides: what it may be giving back, bytes.
    pub fn note(&mut self, process: &Process, figures: Option<Figures>) -> Result<u64, Unreadable> {
        let Some(seen) = self.processes.get_mut(&process.number) else { return Ok(0) };
        if process.has_hidden_threads {
            let since = *seen.hidden_since.get_or_insert_with(Instant::now);
            return if since.elapsed() > EXIT_TIME { Err(Unreadable::Hidden) } else { Ok(0) };
        }
        seen.hidden_since = None;
        let returning = seen.account.note(figures);
        if returning > 0 && process.activity()? == Activity::Rests {
            seen.account.settle(returning);
        }
        Ok(seen.account.returning())
    }

    /// Bytes that each process may be giving back.
    pub fn returning(&self) -> HashMap<Pid, u64> {
        let all = self.processes.iter().map(|(number, seen)| (*number, seen.account.returning()));
        all.filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// Takes into account that processes were seen at rest after this was noted of them.
    pub fn settle(&mut self, rested: &HashMap<Pid, u64>) {
        for (number, bytes) in rested {
            if let Some(seen) = self.processes.get_mut(number) {
                seen.account.settle(*bytes);
            }
        }
    }
}

impl Depths {
    /// Finds the depth of each process. One whose parent is not there is new: no more of its ancestors can have come and gone
    /// than numbers were given meanwhile.
    fn find(&mut self, worker: Pid, processes: &mut [Process]) -> Result<(), Unreadable> {
        let number = |pid: Pid| u64::from(pid.as_raw_nonzero().get().unsigned_abs());
        processes.sort_by_key(|process| process.number.as_raw_nonzero());
        let mut found: HashMap<Pid, u64> = HashMap::with_capacity(processes.len());
        for process in processes.iter_mut() {
            let parent = process.status.parent.and_then(|parent| found.get(&parent).or_else(|| self.of.get(&parent)));
            let last_number = self.last_number.max(number(worker));
            let given_meanwhile = number(process.number).saturating_sub(last_number).max(1);
            let known = self.of.get(&process.number).copied();
            process.depth = known.unwrap_or(if process.number == worker {
                ANCESTORS
            } else {
                parent.map_or(self.deepest.max(ANCESTORS) + given_meanwhile, |parent| parent + 1)
            });
            found.insert(process.number, process.depth);
        }
        self.deepest = found.values().copied().fold(self.deepest, u64::max);
        let last_seen = processes.last().map_or(0, |process| number(process.number));
        // gVisor tells none.
        let last_given = read(Path::new("loadavg"))?.and_then(|text| procfs::last_number(&text)).unwrap_or(0);
        self.last_number = last_seen.max(last_given);
        self.of = found;
        Ok(())
    }
}

/// All processes of the PID namespace but the monitor itself. Of too many, one too many is enough.
fn in_namespace(policy: &Policy) -> Result<Vec<Process>, Unreadable> {
    let numbers = names(Path::new("."))?.unwrap_or_default();
    let numbers = numbers.iter().filter_map(|name| procfs::process_name(name.to_bytes()));
    let mut found = Vec::new();
    for number in numbers.filter(|number| number.as_raw_nonzero().get() != 1) {
        if found.len() as u64 > policy.max_processes {
            break;
        }
        found.extend(Process::find(number)?);
    }
    Ok(found)
}

/// The children of the monitor, to whom orphans come, and theirs.
///
/// The kernel's lists of children can leave one out while others end (proc_tid_children(5)), so a process that was seen once
/// is looked at by its number until it has left the worker's process group, which it can only do by ending.
fn below(policy: &Policy, worker: Pid, known: &Known) -> Result<Vec<Process>, Unreadable> {
    let mut pending = children(Path::new("self"))?;
    if pending.is_empty() {
        pending.push(worker);
    }
    let (mut found, mut numbers) = (Vec::new(), HashSet::new());
    let mut known = known.processes.keys().copied();
    // A tree that multiplies must not keep its monitor busy with counting: one too many is enough.
    while found.len() as u64 <= policy.max_processes {
        let Some(number) = pending.pop().or_else(|| known.find(|number| is_in_group(*number, worker))) else { break };
        if numbers.insert(number) {
            pending.extend(children(&directory(number))?);
            found.extend(Process::find(number)?);
        }
    }
    Ok(found)
}

fn is_in_group(number: Pid, group: Pid) -> bool {
    match read(&directory(number).join("stat")) {
        // Nothing can be said of it: it is looked at.
        Err(_) => true,
        Ok(None) => false,
        Ok(Some(stat)) => Stat::parse(&stat).map_or(true, |stat| stat.group == Some(group)),
    }
}

fn directory(number: Pid) -> PathBuf {
    number.as_raw_nonzero().to_string().into()
}

/// The children of a process's threads (proc_tid_children(5)). None where the kernel has no such list.
pub fn children(directory: &Path) -> Result<Vec<Pid>, Unreadable> {
    let tasks = directory.join("task");
    let mut found = Vec::new();
    for thread in names(&tasks)?.unwrap_or_default() {
        if let Some(list) = read(&tasks.join(OsStr::from_bytes(thread.to_bytes())).join("children"))? {
            found.extend(procfs::children(&list)?);
        }
    }
    Ok(found)
}

/// Activity of a thread of this process; `None` if it is gone.
pub fn activity_of_thread(number: i32) -> Result<Option<Activity>, Unreadable> {
    let stat = read(&Path::new("self/task").join(number.to_string()).join("stat"))?;
    stat.map(|stat| Ok(Stat::parse(&stat)?.activity)).transpose()
}

impl Process {
    /// `None` for a process that is gone. One whose main thread has ended shows nothing of its memory, but its other threads
    /// do.
    fn find(number: Pid) -> Result<Option<Self>, Unreadable> {
        let Some(mut process) = Self::at(number, directory(number))? else { return Ok(None) };
        if process.status.memory.is_some() {
            return Ok(Some(process));
        }
        let tasks = process.directory.join("task");
        let threads = names(&tasks)?;
        process.has_hidden_threads = threads.as_ref().is_none_or(Vec::is_empty) && process.status.threads > 1;
        for thread in threads.unwrap_or_default() {
            let thread = Self::at(number, tasks.join(OsStr::from_bytes(thread.to_bytes())))?;
            let Some(thread) = thread else { continue };
            if thread.status.memory.is_some() {
                return Ok(Some(Self { shows_itself: false, ..thread }));
            }
            // It is about to give back what the process has: whatever its first thread says, the process has not ended.
            process.status.has_ended &= thread.status.has_ended;
        }
        Ok(Some(process))
    }

    fn at(number: Pid, directory: PathBuf) -> Result<Option<Self>, Unreadable> {
        let Some(text) = read(&directory.join("status"))? else { return Ok(None) };
        Ok(Some(Self {
            number,
            status: Status::parse(&text)?,
            directory,
            shows_itself: true,
            depth: ANCESTORS,
            has_hidden_threads: false,
        }))
    }

    /// Bytes that a mapping of it counts for.
    pub fn mapping_bytes(&self) -> u64 {
        MAPPING_BYTES + ANCESTOR_BYTES * self.depth
    }

    fn memory(&self) -> Memory {
        self.status.memory.unwrap_or_default()
    }

    /// More than it can take. Read without waiting for anything that a script can hold.
    ///
    /// None of one that has no memory any more: it is about to close its descriptors, which nobody may look at then, so
    /// [`Known`] knows what it had.
    pub fn bound(&self, policy: &Policy) -> Result<Option<Figures>, Unreadable> {
        let Some(memory) = self.status.memory else { return Ok(None) };
        let files = self.open_files(policy)?;
        let mappings = (memory.mapped / rustix::param::page_size() as u64).min(policy.weights.max_mappings);
        // At the worst half of the descriptors are of epoll, and watch each of the others under each number.
        let watches = worst_watches(policy, files * files / 4);
        let buffers = (files * policy.weights.socket.max(policy.weights.pipe)).max(watches) + files * DESCRIPTOR_BYTES;
        Ok(Some(Figures {
            memory: memory.resident + memory.swapped + memory.page_tables + mappings * self.mapping_bytes(),
            buffers,
            peak_resident: memory.peak_resident,
            peak_mapped: memory.peak_mapped,
            threads: self.status.threads,
        }))
    }

    /// Activity of the busiest of its threads.
    pub fn activity(&self) -> Result<Activity, Unreadable> {
        if self.status.has_ended || self.status.threads <= 1 {
            return Ok(self.status.activity);
        }
        let tasks = directory(self.number).join("task");
        // gVisor, which gives memory back at once, shows none.
        let Some(threads) = names(&tasks)?.filter(|threads| !threads.is_empty()) else {
            return Ok(self.status.activity);
        };
        let mut busiest = Activity::Rests;
        for thread in threads {
            if let Some(stat) = read(&tasks.join(OsStr::from_bytes(thread.to_bytes())).join("stat"))? {
                busiest = busiest.max(Stat::parse(&stat)?.activity);
            }
        }
        Ok(busiest)
    }

    pub fn page_tables(&self) -> u64 {
        self.memory().page_tables
    }

    /// Reads its `stat` file; `None` if it is gone.
    pub fn stat(&self) -> Result<Option<Vec<u8>>, Unreadable> {
        read(&directory(self.number).join("stat"))
    }

    /// Activity of a process. One that is gone rests.
    pub fn activity_of(number: Pid) -> Result<Activity, Unreadable> {
        Self::find(number)?.map_or(Ok(Activity::Rests), |process| process.activity())
    }

    /// Bytes that it takes. One of `all`.
    pub fn exact(&self, policy: &Policy, all: &[Self], counted: &mut Counted) -> Result<u64, Unreadable> {
        if self.status.memory.is_none() {
            return Ok(0);
        }
        match self.counted(policy, all, counted) {
            // Nothing better is known.
            Err(Unreadable::Hidden) => match Self::find(self.number)? {
                Some(now) => Ok(Self { depth: self.depth, ..now }.bound(policy)?.map_or(0, |bound| bound.total())),
                None => Ok(0),
            },
            counted => counted,
        }
    }

    fn counted(&self, policy: &Policy, all: &[Self], counted: &mut Counted) -> Result<u64, Unreadable> {
        let descriptors = self.buffers(policy, &mut counted.buffers)?;
        let is_counted = self.has_memory_of_its_parent(all);
        if is_counted == Some(true) {
            return Ok(descriptors);
        }
        let memory = self.share()? + self.memory().page_tables + self.mappings()? * self.mapping_bytes();
        if is_counted.is_none() {
            counted.twice += memory;
        }
        Ok(memory + descriptors)
    }

    /// What its descriptors can hold in the kernel, bytes.
    fn buffers(&self, policy: &Policy, counted: &mut HashSet<Vec<u8>>) -> Result<u64, Unreadable> {
        let directory = self.directory.join("fd");
        let (mut files, mut bytes, mut epolls) = (0, 0, Vec::new());
        for name in names(&directory)?.unwrap_or_default() {
            let name = OsStr::from_bytes(name.to_bytes());
            let link = match fs::read_link(directory.join(name)) {
                Ok(link) => link.into_os_string(),
                Err(error) => {
                    gone::<()>(&error)?;
                    continue;
                }
            };
            files += 1;
            let link = link.as_bytes();
            if link.starts_with(b"pipe:") && counted.insert(link.to_vec()) {
                bytes += policy.weights.pipe;
            } else if link.starts_with(b"socket:") && counted.insert(link.to_vec()) {
                bytes += policy.weights.socket;
            } else if link == b"anon_inode:[eventpoll]" {
                epolls.push(name.to_owned());
            }
        }
        Ok(bytes + files * DESCRIPTOR_BYTES + self.watches(policy, files, &epolls)?)
    }

    /// What epoll keeps, bytes.
    fn watches(&self, policy: &Policy, files: u64, epolls: &[std::ffi::OsString]) -> Result<u64, Unreadable> {
        /// Up to here the worst case is assumed, and nobody is asked.
        const LITTLE: u64 = 16 << 20;
        let worst = worst_watches(policy, epolls.len() as u64 * files);
        if worst <= LITTLE {
            return Ok(worst);
        }
        let mut watches = 0;
        for number in epolls {
            watches += count_lines(&self.directory.join("fdinfo").join(number), b"tfd:")?;
        }
        Ok(watches.saturating_mul(policy.weights.watch))
    }

    /// Whether it is a child whose memory is counted as that of its parent, which is one of `all`. The kernel compares first
    /// threads: those that have ended all have the same memory, which is none.
    fn has_memory_of_its_parent(&self, all: &[Self]) -> Option<bool> {
        let parent = self.status.parent.filter(|_| self.shows_itself);
        let parent = parent.and_then(|parent| all.iter().find(|process| process.number == parent));
        let Some(parent) = parent.filter(|parent| parent.shows_itself && parent.status.memory.is_some()) else {
            return Some(false);
        };
        match have_the_same_memory(self.number, parent.number) {
            Some(true) => {
                // Neither may have ended meanwhile.
                let has_memory = |number| matches!(Self::at(number, directory(number)), Ok(Some(now)) if now.status.memory.is_some());
                Some(has_memory(self.number) && has_memory(parent.number))
            }
            None if self.memory().resident == parent.memory().resident => None,
            Some(false) | None => Some(false),
        }
    }

    /// Bytes that it maps and that are neither code nor its own data.
    pub fn shared_mappings(&self) -> Result<u64, Unreadable> {
        let Some(statm) = read(&self.directory.join("statm"))? else { return Ok(0) };
        procfs::shared_mappings(&statm, rustix::param::page_size() as u64)
    }

    pub fn mappings(&self) -> Result<u64, Unreadable> {
        count_lines(&self.directory.join("maps"), b"")
    }

    /// Files that it has open and that have no name any more, with their sizes; and those that it has mapped.
    pub fn unlinked(
        &self,
        open: &mut HashMap<(u64, u64), u64>,
        mapped: &mut HashSet<Unlinked>,
    ) -> Result<(), Unreadable> {
        // One that ends closes its files, and nobody may look at them then.
        if Self::find(self.number)?.is_none_or(|now| now.status.memory.is_none()) {
            return Ok(());
        }
        let directory = self.directory.join("fd");
        for name in names(&directory)?.unwrap_or_default() {
            match fs::metadata(directory.join(OsStr::from_bytes(name.to_bytes()))) {
                Ok(file) if file.nlink() == 0 && (file.is_file() || file.is_dir()) => {
                    open.insert((file.dev(), file.ino()), file.blocks().saturating_mul(512));
                }
                Ok(_) => {}
                Err(error) => drop(gone::<()>(&error)?),
            }
        }
        for_each_line(&self.directory.join("maps"), |line| mapped.extend(procfs::unlinked_mapping(line)))
    }

    /// The number of open descriptors: the size of the directory says it (Linux 6.2), or the number of its entries. As many
    /// as there may be, if its process is hidden.
    fn open_files(&self, policy: &Policy) -> Result<u64, Unreadable> {
        /// Descriptors of a sealed worker, which can open no other: its standard streams, its channel, and event loops.
        const SEALED: u64 = 32;
        let directory = self.directory.join("fd");
        let told = match fs::metadata(&directory) {
            Ok(metadata) => metadata.len(),
            Err(error) => return gone(&error).map(Option::unwrap_or_default),
        };
        if told > 0 {
            return Ok(told);
        }
        match names(&directory) {
            Ok(names) => Ok(names.unwrap_or_default().len() as u64),
            Err(Unreadable::Hidden) if policy.has(Mechanism::Seal) => Ok(SEALED),
            Err(Unreadable::Hidden) => Ok(policy.max_open_files),
            Err(Unreadable::Unclear) => Err(Unreadable::Unclear),
        }
    }

    /// Its share of the pages that it has in memory or swapped, without the scratch space's, which are counted as files. All
    /// of them where the kernel does not say.
    fn share(&self) -> Result<u64, Unreadable> {
        match fs::read(self.directory.join("smaps_rollup")) {
            Ok(rollup) if !rollup.is_empty() => procfs::proportional_share(&rollup),
            // It has ended meanwhile, its memory cannot be looked into, or the kernel has no such file.
            _ => Ok(Self::at(self.number, self.directory.clone())?
                .map_or(0, |now| now.memory().resident + now.memory().swapped)),
        }
    }
}

/// Bytes of watches at the worst, for so many pairs of an epoll and a file. A watch is of a file and a number (epoll(7)), so a
/// pair can have as many as there are numbers: a sealed worker can make no other.
fn worst_watches(policy: &Policy, pairs: u64) -> u64 {
    let numbers = if policy.has(Mechanism::Seal) { 1 } else { policy.max_open_files };
    pairs.saturating_mul(numbers).saturating_mul(policy.weights.watch)
}

/// Usage of processes, also of those that have ended and are not waited for yet, with their children that they have waited
/// for.
pub(super) fn used(numbers: impl Iterator<Item = Pid>) -> crate::sys::Rusage {
    let mut sum = crate::sys::Rusage::default();
    for number in numbers {
        let directory = directory(number);
        let stat = read(&directory.join("stat")).ok().flatten().and_then(|stat| Stat::parse(&stat).ok());
        let ticks = stat.map_or(0, |stat| stat.ticks_of_children);
        let of_children = Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second());
        let status = read(&directory.join("status")).ok().flatten().unwrap_or_default();
        sum.add(crate::sys::Rusage {
            cpu: crate::sys::cpu_time(number) + of_children,
            max_rss_bytes: procfs::max_resident(&status),
        });
    }
    sum
}

/// Files that are held without a name.
#[derive(Default)]
pub(super) struct UnlinkedFiles {
    /// Those of which a descriptor is open.
    pub open: Usage,
    /// Those that are only mapped: nobody but their file system knows how large they are.
    pub mapped: u64,
}

impl UnlinkedFiles {
    /// Finds each file once, whoever holds it.
    pub fn find(processes: &[Process]) -> Result<Self, Unreadable> {
        let (mut open, mut mapped) = (HashMap::new(), HashSet::new());
        for process in processes {
            process.unlinked(&mut open, &mut mapped)?;
        }
        // What this process has mapped are files of the runtime, or the program itself, which were replaced meanwhile.
        let mut of_the_service = HashSet::new();
        for_each_line(Path::new("self/maps"), |line| of_the_service.extend(procfs::unlinked_mapping(line)))?;
        mapped.retain(|file| !of_the_service.contains(file));
        let is_open = |file: &Unlinked| open.keys().any(|(_, inode)| *inode == file.inode);
        Ok(Self {
            mapped: mapped.iter().filter(|file| !is_open(file)).count() as u64,
            open: Usage { bytes: open.values().sum(), inodes: open.len() as u64 },
        })
    }
}

/// Takes a failure to read something for the end of its process, or for a reason to say nothing.
fn gone<T>(error: &io::Error) -> Result<Option<T>, Unreadable> {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ESRCH) => Ok(None),
        Some(libc::EACCES | libc::EPERM) => Err(Unreadable::Hidden),
        _ => Err(Unreadable::Unclear),
    }
}

/// The bytes of a file; `None` if it is gone.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Unreadable> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => gone(&error),
    }
}

/// The names in a directory; `None` if it is gone. Not by the C library, whose buffer nobody wipes (`sys::memory`).
fn names(directory: &Path) -> Result<Option<Vec<CString>>, Unreadable> {
    let opened = open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let entries = opened.and_then(Dir::read_from).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match entries {
        Ok(entries) => {
            let names = entries.iter().map(rustix::fs::DirEntry::file_name);
            Ok(Some(names.filter(|name| !is_dots(name)).map(CStr::to_owned).collect()))
        }
        Err(errno) => gone(&errno.into()),
    }
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// Lines that begin so. A file that cannot be opened, because its process has given its memory back, has none.
fn count_lines(path: &Path, start: &[u8]) -> Result<u64, Unreadable> {
    let mut count = 0;
    for_each_line(path, |line| count += u64::from(line.starts_with(start)))?;
    Ok(count)
}

/// Reads a file that may be long in pieces. Nothing of it if it is gone, or its process has given its memory back.
fn for_each_line(path: &Path, mut use_line: impl FnMut(&[u8])) -> Result<(), Unreadable> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return gone(&error).map(Option::unwrap_or_default),
    };
    let (mut file, mut line) = (BufReader::with_capacity(64 * 1024, file), Vec::new());
    loop {
        line.clear();
        match file.read_until(b'\n', &mut line) {
            Ok(0) => return Ok(()),
            Ok(_) => use_line(line.strip_suffix(b"\n").unwrap_or(&line)),
            Err(error) => return gone(&error).map(Option::unwrap_or_default),
        }
    }
}

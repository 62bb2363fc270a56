//! Decodes files of /proc (proc(5)). Pure functions on bytes: a script chooses names in these files, and names are not text.
//!
//! Nothing here guesses. What cannot be understood is [`Unreadable`], which the watchdog takes for an excess.

use rustix::process::Pid;

/// Reason why a file of /proc that exists says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Its process is hidden from this one.
    #[error("a process is hidden")]
    Hidden,
    /// It cannot be read, or does not say what it should.
    #[error("a file of /proc cannot be understood")]
    Unclear,
}

use Unreadable::Unclear;

/// Facts about a process or a thread, from its `status` (proc_pid_status(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub parent: Option<Pid>,
    /// Whether it has ended and is only not waited for.
    pub has_ended: bool,
    /// Of its thread, the first one of a process.
    pub activity: Activity,
    pub threads: u64,
    /// None for a process that has given its memory back, or is about to.
    pub memory: Option<Memory>,
}

/// Memory of a process, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    pub resident: u64,
    pub swapped: u64,
    pub page_tables: u64,
    /// Size of all mappings.
    pub mapped: u64,
    /// The most that was resident, and mapped.
    pub peak_resident: u64,
    pub peak_mapped: u64,
}

impl Status {
    /// Reads a `status` file. Its first line has the name, which may hold any byte.
    pub fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let field = |name: &str| field(text, name);
        let number = |name: &str| field(name).map(|value| integer(value).ok_or(Unclear)).transpose();
        let state = field("State").ok_or(Unclear)?.first().copied().ok_or(Unclear)?;
        let has_ended = matches!(state, b'Z' | b'X');
        let memory = match field("VmRSS").filter(|_| !has_ended) {
            None => None,
            Some(resident) => Some(Memory {
                resident: kilobytes(resident).ok_or(Unclear)?,
                swapped: optional_kilobytes(text, "VmSwap")?,
                page_tables: optional_kilobytes(text, "VmPTE")?,
                mapped: optional_kilobytes(text, "VmSize")?,
                peak_resident: optional_kilobytes(text, "VmHWM")?,
                peak_mapped: optional_kilobytes(text, "VmPeak")?,
            }),
        };
        Ok(Self {
            parent: number("PPid")?.and_then(process),
            has_ended,
            activity: Activity::from(state),
            threads: number("Threads")?.unwrap_or(1).max(1),
            memory,
        })
    }
}

/// Activity of a thread, from less to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// It has done all of its last call but to wait: it sleeps until something happens, stands still or has ended.
    Rests,
    /// It waits and does not mind signals: for the end of something that it is in the middle of, or for a child to execute a
    /// program.
    Waits,
    Runs,
}

impl From<u8> for Activity {
    /// From the letter of a state (proc_pid_stat(5)).
    fn from(state: u8) -> Self {
        match state {
            b'S' | b'T' | b't' | b'Z' | b'X' => Self::Rests,
            b'D' => Self::Waits,
            _ => Self::Runs,
        }
    }
}

/// Largest resident memory that a `status` file tells, bytes; 0 where it tells none.
pub fn max_resident(status: &[u8]) -> u64 {
    optional_kilobytes(status, "VmHWM").unwrap_or(0)
}

/// Facts about a process from its `stat` (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Number of its process group.
    pub group: Option<Pid>,
    /// Of its thread, the first one of a process.
    pub activity: Activity,
    /// Page faults of all its threads, also of those that have ended.
    pub faults: u64,
    /// Clock ticks of children that it has waited for.
    pub ticks_of_children: u64,
}

impl Stat {
    /// Reads a `stat` file. The name stands in brackets and may hold any byte, brackets too; what follows is the kernel's.
    pub fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let end_of_name = text.iter().rposition(|byte| *byte == b')').ok_or(Unclear)?;
        let fields: Vec<&[u8]> = words(&text[end_of_name + 1..]).collect();
        // Counted from the state, which is field 3.
        let at = |index: usize| fields.get(index).ok_or(Unclear);
        let ticks = |index: usize| integer(at(index)?).ok_or(Unclear);
        Ok(Self {
            group: integer(at(2)?).and_then(process),
            activity: at(0)?.first().copied().map(Activity::from).ok_or(Unclear)?,
            faults: ticks(7)?.saturating_add(ticks(9)?),
            ticks_of_children: ticks(13)?.saturating_add(ticks(14)?),
        })
    }
}

/// Memory of a process where a page counts for those who share it in equal parts, from `smaps_rollup` (proc_pid_smaps(5));
/// bytes. Without pages of a tmpfs, which are counted as files.
pub fn proportional_share(rollup: &[u8]) -> Result<u64, Unreadable> {
    let share = field(rollup, "Pss").and_then(kilobytes).ok_or(Unclear)?;
    let shared_memory = optional_kilobytes(rollup, "Pss_Shmem")?;
    Ok(share.saturating_sub(shared_memory).saturating_add(optional_kilobytes(rollup, "SwapPss")?))
}

/// Bytes that are mapped and are neither code nor the process's own data, from `statm` (proc_pid_statm(5)).
pub fn shared_mappings(statm: &[u8], page_size: u64) -> Result<u64, Unreadable> {
    let pages: Option<Vec<u64>> = words(statm).map(integer).collect();
    let Some([size, _, _, text, _, data, ..]) = pages.as_deref() else { return Err(Unclear) };
    Ok(size.saturating_sub(text.saturating_add(*data)).saturating_mul(page_size))
}

/// Number that was given to a process last, from `loadavg` (proc_loadavg(5)).
pub fn last_number(loadavg: &[u8]) -> Option<u64> {
    words(loadavg).nth(4).and_then(integer)
}

/// Large pages that faults have brought, or that were put together of small ones, on this host since it was started, from `vmstat`
/// (transhuge.rst of the kernel's documentation). None where it does not tell.
pub fn large_pages(vmstat: &[u8]) -> Option<u64> {
    let field = |name: &[u8]| lines(vmstat).find_map(|line| integer(line.strip_prefix(name)?));
    Some(field(b"thp_fault_alloc ")?.saturating_add(field(b"thp_collapse_alloc ")?))
}

/// Numbers of processes, from `children` (proc_tid_children(5)).
pub fn children(list: &[u8]) -> Result<Vec<Pid>, Unreadable> {
    words(list).map(|word| integer(word).and_then(process).ok_or(Unclear)).collect()
}

/// A mapping of a file that has no name any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unlinked {
    /// Device, as the line has it: major and minor number.
    pub device: (u64, u64),
    pub inode: u64,
}

/// Tells a line of `maps` that maps a file without a name (proc_pid_maps(5)). A file that is called so on purpose counts too.
pub fn unlinked_mapping(line: &[u8]) -> Option<Unlinked> {
    if !line.ends_with(b" (deleted)") {
        return None;
    }
    let mut fields = words(line).skip(3);
    let mut device = fields.next()?.split(|byte| *byte == b':').map(hexadecimal);
    let device = (device.next()??, device.next()??);
    Some(Unlinked { device, inode: fields.next().and_then(integer)? })
}

/// Process that holds the record lock of a line of /proc/locks (proc_locks(5)). Lines of those who wait for a lock have an
/// arrow in front.
pub fn holder_of_lock(line: &[u8]) -> Option<&[u8]> {
    words(line).filter(|word| *word != b"->").nth(4)
}

/// Lines of text.
pub fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Parses the name of a directory in /proc as a process's number.
pub fn process_name(name: &[u8]) -> Option<Pid> {
    integer(name).and_then(process)
}

fn process(number: u64) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

/// Value of the last line that begins with this name and a colon. A name of a process stands before all else, and in gVisor it
/// can have line breaks.
fn field<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let value = |line: &'a [u8]| line.strip_prefix(name.as_bytes())?.strip_prefix(b":");
    lines(text).rev().find_map(value).map(<[u8]>::trim_ascii)
}

fn optional_kilobytes(text: &[u8], name: &str) -> Result<u64, Unreadable> {
    field(text, name).map_or(Ok(0), |value| kilobytes(value).ok_or(Unclear))
}

fn kilobytes(value: &[u8]) -> Option<u64> {
    integer(value.strip_suffix(b" kB")?)?.checked_mul(1024)
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn integer(digits: &[u8]) -> Option<u64> {
    let digits = digits.trim_ascii();
    digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &[u8] =
        b"Name:\tpy\\n\xff\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nNgid:\t0\nPid:\t9\nPPid:\t2\n\
        VmPeak:\t   48 kB\nVmSize:\t   40 kB\nVmHWM:\t   24 kB\nVmRSS:\t   20 kB\nVmPTE:\t   8 kB\nVmSwap:\t   4 kB\nThreads:\t3\n";

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    #[test]
    fn a_name_of_any_bytes_hides_nothing() {
        let memory = Memory {
            resident: 20 << 10,
            swapped: 4 << 10,
            page_tables: 8 << 10,
            mapped: 40 << 10,
            peak_resident: 24 << 10,
            peak_mapped: 48 << 10,
        };
        let expected = Status {
            parent: Some(pid(2)),
            has_ended: false,
            activity: Activity::Rests,
            threads: 3,
            memory: Some(memory),
        };
        assert_eq!(Status::parse(STATUS), Ok(expected));
        assert_eq!(max_resident(STATUS), 24 << 10);
        let stat = b"7 (\xff) 1 2 (\n) S 2 5 5 0 -1 4194560 1 0 0 0 1 2 30 12 20 0 1 0 99";
        assert_eq!(
            Stat::parse(stat),
            Ok(Stat { group: Some(pid(5)), activity: Activity::Rests, faults: 1, ticks_of_children: 42 })
        );
    }

    #[test]
    fn who_waits_without_minding_signals_is_not_at_rest() {
        let states =
            [("R (running)", Activity::Runs), ("D (disk sleep)", Activity::Waits), ("T (stopped)", Activity::Rests)];
        for (state, expected) in states {
            let text = String::from_utf8_lossy(STATUS).replace("S (sleeping)", state);
            assert_eq!(Status::parse(text.as_bytes()).unwrap().activity, expected, "{state}");
        }
    }

    #[test]
    fn a_name_with_line_breaks_says_nothing() {
        let status = [b"Name:\t\nVmRSS:\t1 kB\n\n", STATUS].concat();
        assert_eq!(Status::parse(&status), Status::parse(STATUS));
    }

    #[test]
    fn a_process_that_ends_has_no_memory_but_is_there() {
        let zombie = b"Name:\tx\nState:\tZ (zombie)\nTgid:\t7\nPPid:\t0\nThreads:\t1\n";
        let status = Status::parse(zombie).unwrap();
        assert!(status.has_ended && status.memory.is_none() && status.parent.is_none());
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for text in
            [&b""[..], b"Name:\tx\n", b"State:\tR\nPPid:\t-1\n", b"State:\tR\nTgid:\t1\nVmRSS:\tmuch\n", b"\xff"]
        {
            assert_eq!(Status::parse(text), Err(Unclear), "{}", text.escape_ascii());
        }
        for text in [&b""[..], b"7 (x", b"7 (x) S 1", b"7 (x) S 1 a 2"] {
            assert_eq!(Stat::parse(text), Err(Unclear), "{}", text.escape_ascii());
        }
        assert_eq!(proportional_share(b"Rss: 4 kB\n"), Err(Unclear));
        assert_eq!(shared_mappings(b"1 2 3", 4096), Err(Unclear));
        assert_eq!(children(b"1 x"), Err(Unclear));
    }

    #[test]
    fn figures_are_read() {
        let rollup = b"55-7f ---p 00000000 00:00 0 [rollup]\nRss: 9 kB\nPss: 8 kB\nPss_Dirty: 1 kB\nPss_Shmem: 2 kB\nSwapPss: 1 kB\n";
        assert_eq!(proportional_share(rollup), Ok(7 << 10));
        assert_eq!(shared_mappings(b"10 5 3 2 0 4 0\n", 4096), Ok(4 * 4096));
        assert_eq!(last_number(b"0.20 0.18 0.12 1/80 11206\n"), Some(11206));
        assert_eq!(children(b"3 14 \n"), Ok(vec![pid(3), pid(14)]));
        assert_eq!(holder_of_lock(b"1: POSIX  ADVISORY  WRITE 708 fd:00:26 0 EOF"), Some(&b"708"[..]));
        assert_eq!(holder_of_lock(b"1: -> POSIX  ADVISORY  WRITE 708 fd:00:26 0 EOF"), Some(&b"708"[..]));
    }

    #[test]
    fn files_without_a_name_are_told_by_their_lines() {
        let line = b"7f00-7f01 rw-s 00000000 fe:1a 42    /tmp/\xff x (deleted)";
        assert_eq!(unlinked_mapping(line), Some(Unlinked { device: (0xfe, 0x1a), inode: 42 }));
        assert_eq!(unlinked_mapping(b"7f00-7f01 rw-s 00000000 fe:1a 42 /tmp/x"), None);
    }
}

//! Processes that a test starts: watched while they run, gone with everything under them afterwards.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A child process that is killed, with all its descendants, when this value is dropped, and also
/// when the test process itself ends in any other way.
pub struct Owned {
    child: Child,
    monitor: Child,
    log: Log,
    /// What was below it when it was waited for; none of that should be left.
    below: Option<Vec<Watched>>,
}

impl Owned {
    /// Starts `command` with its standard error collected; `on_line` sees each line of it.
    pub fn spawn(mut command: Command, on_line: impl Fn(&str) + Send + 'static) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let log = Log::default();
        let stderr = child.stderr.take().expect("standard error is piped");
        log.follow(stderr, on_line);
        let monitor = monitor(child.id());
        Self { child, monitor, log, below: None }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the process wrote to its standard error.
    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn signal(&self, signal: Signal) {
        Watched::new(self.id()).expect("the process was not waited for yet").signal(signal);
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let watched = Watched::new(self.id()).expect("the process was not waited for yet");
        let below = self.watch_descendants();
        assert!(watched.ends_within(patience), "still running after {patience:?}\n{}", self.log);
        // From now on the number of the process may be another's.
        self.stop_monitor();
        self.below = Some(below);
        let status = self.child.wait().expect("a child can be waited for");
        self.log.wait_for_end();
        status
    }

    /// The processes below this one, of whatever depth.
    pub fn descendants(&self) -> Vec<Entry> {
        descendants(self.id())
    }

    /// The same, held so that they can be waited for or killed.
    pub fn watch_descendants(&self) -> Vec<Watched> {
        self.descendants().iter().filter_map(Entry::watch).collect()
    }

    fn stop_monitor(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let below = self.below.take().unwrap_or_else(|| {
            let below = self.watch_descendants();
            self.stop_monitor();
            let _ = self.child.kill();
            let _ = self.child.wait();
            below
        });
        for process in below {
            process.signal(Signal::KILL);
        }
    }
}

/// Kills `pid` as soon as the test process is gone, however it went.
fn monitor(pid: u32) -> Child {
    Command::new("sh")
        .args(["-c", r#"trap "" INT TERM HUP; read -r _; kill -KILL "$1""#])
        .args(["monitor", &pid.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("there is a shell")
}

/// A process known by descriptor, so that its number cannot come to mean another one.
pub struct Watched(OwnedFd);

impl Watched {
    /// None when there is no such process (any more).
    pub fn new(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        pidfd_open(pid, PidfdFlags::empty()).ok().map(Self)
    }

    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.0, signal);
    }

    /// Whether the process ends in time; returns as soon as it does.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).expect("a test's patience fits a timespec");
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, Some(&left)) {
                Ok(ready) => return ready > 0,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("cannot watch a process: {error}"),
            }
        }
    }
}

/// One line of the machine's list of processes.
#[derive(Clone, Debug)]
pub struct Entry {
    pub pid: u32,
    pub parent: u32,
    pub name: String,
    pub state: char,
    pub command: String,
    /// The process that leads its session.
    pub session: u32,
    /// Ticks after the machine's start: with the number, this is one process and no other.
    started: u64,
}

impl Entry {
    fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let (open, close) = (stat.find('(')?, stat.rfind(')')?);
        let rest: Vec<&str> = stat[close + 1..].split_whitespace().collect();
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some(Self {
            pid,
            name: stat[open + 1..close].to_owned(),
            state: rest.first()?.chars().next()?,
            parent: rest.get(1)?.parse().ok()?,
            session: rest.get(3)?.parse().ok()?,
            started: rest.get(19)?.parse().ok()?,
            command: String::from_utf8_lossy(&command).replace('\0', " "),
        })
    }

    /// Holds this very process; none when it is gone.
    pub fn watch(&self) -> Option<Watched> {
        let watched = Watched::new(self.pid)?;
        Self::read(self.pid).is_some_and(|now| now.started == self.started).then_some(watched)
    }

    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// Every process of the machine.
pub fn list() -> Vec<Entry> {
    let directory = std::fs::read_dir("/proc").expect("/proc is mounted");
    directory.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter_map(Entry::read).collect()
}

/// The living processes that call themselves `name`.
pub fn named(name: &str) -> Vec<Entry> {
    let mut found = list();
    found.retain(|entry| entry.name == name && entry.is_alive());
    found
}

/// The processes below this one, of whatever depth.
pub fn descendants(root: u32) -> Vec<Entry> {
    let all = list();
    let mut found: Vec<Entry> = Vec::new();
    let mut parents = VecDeque::from([root]);
    while let Some(parent) = parents.pop_front() {
        for entry in all.iter().filter(|entry| entry.parent == parent) {
            parents.push_back(entry.pid);
            found.push(entry.clone());
        }
    }
    found
}

/// The lines that a process wrote to its standard error, shown when a test fails.
#[derive(Clone, Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    end: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
}

impl Log {
    fn follow(&self, source: impl Read + Send + 'static, on_line: impl Fn(&str) + Send + 'static) {
        let (ended, end) = mpsc::channel::<()>();
        *self.end.lock().expect("no test panics while it reads a log") = Some(end);
        let lines = Arc::clone(&self.lines);
        std::thread::spawn(move || {
            let _ended = ended;
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                on_line(&line);
                lines.lock().expect("no test panics while it reads a log").push(line);
            }
        });
    }

    /// Waits until the process and all that inherited its standard error have closed it.
    fn wait_for_end(&self) {
        let end = self.end.lock().expect("no test panics while it reads a log");
        if let Some(end) = end.as_ref() {
            let _ = end.recv_timeout(Duration::from_secs(5));
        }
    }

    pub fn text(&self) -> String {
        let lines = self.lines.lock().expect("no test panics while it reads a log");
        lines.join("\n")
    }
}

impl std::fmt::Display for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(40)..];
        write!(f, "--- end of the log ---\n{}", last.join("\n"))
    }
}

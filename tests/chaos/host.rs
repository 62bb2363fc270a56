//! A service of the suite's own: its process, where it listens, and what it can be disturbed by.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use super::Fallible;
use super::forks::Forks;
use super::groups::Groups;
use super::listening;
use super::place::{Place, Runtime, unique};
use super::process::{Owned, Watched, descendants};
use super::tree::Tree;

/// What a start, or coming to rest, may take.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Time until a service that can make no worker has used up those that waited, and says so.
const UNWELL: Duration = Duration::from_secs(20);

/// How many scripts the service runs at a time: the same on every machine, because it bounds what there is at rest.
pub const CONCURRENCY: usize = 2;

/// Where the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationReport {
    /// A Linux machine: namespaces, and a scratch file system for each worker.
    Linux,
    /// A container that refuses user namespaces: scratch directories lie in /tmp.
    Container,
}

impl IsolationReport {
    pub fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Container => "container",
        }
    }

    /// How /tmp comes to be small in the service's mount namespace.
    fn small_tmp(self) -> &'static [&'static str] {
        match self {
            Self::Linux => &["-t", "tmpfs", "-o", "size=16m,mode=1777", "tmpfs", "/tmp"],
            Self::Container => &["-o", "remount,size=48m", "/tmp"],
        }
    }
}

/// A running service. Dropping it ends all of its processes, and with them its mounts.
pub struct Host {
    process: Owned,
    pub groups: Groups,
    pub forks: Forks,
    /// Files of its own that it runs with.
    pub runtime: Runtime,
    /// A /dev/null of its own; removed when dropped.
    _null: Null,
    pub posture: IsolationReport,
    pub address: SocketAddr,
    /// The service's own process.
    pub service: u32,
    /// What is chosen at random.
    pub dice: Dice,
    /// The next scenario of the attack suite.
    pub next_attack: AtomicUsize,
}

impl Host {
    /// Its log goes to the file too, where there is one.
    pub fn start(place: &Place, posture: IsolationReport, seed: u64, log: Option<File>) -> Fallible<Self> {
        let (groups, runtime, null) = (Groups::make(), place.copy_runtime()?, Null::make()?);
        let (heard, listening) = mpsc::channel();
        let log = Mutex::new(log);
        let command = command(place, posture, &groups, &runtime, &null);
        let start = || {
            Owned::spawn(command, move |line| {
                if let Ok(Some(file)) = log.lock().as_deref_mut() {
                    let _ = writeln!(file, "{line}");
                }
                if let Some(address) = listening::address(line) {
                    let _ = heard.send(address);
                }
            })
        };
        let (process, forks) = Forks::around(start)?;
        let blame = |words: &str| format!("{}: {words}\n{}", posture.name(), process.log());
        let address = listening.recv_timeout(PATIENCE).map_err(|_| blame("the service does not listen"))?;
        let service = match posture {
            IsolationReport::Linux => process.id(),
            IsolationReport::Container => only_child(process.id()).ok_or_else(|| blame("the jail has no child"))?,
        };
        make_tmp_small(service, posture).map_err(|words| blame(&words))?;
        let (dice, next_attack) = (Dice::new(seed), AtomicUsize::new(0));
        Ok(Self { process, groups, forks, runtime, _null: null, posture, address, service, dice, next_attack })
    }

    /// Fails if the service has ended, whatever the reason.
    pub fn is_alive(&self) -> Fallible<()> {
        let ended = Watched::new(self.service).is_none_or(|service| service.ends_within(Duration::ZERO));
        if ended { Err(format!("the service has ended\n{}", self.process.log())) } else { Ok(()) }
    }

    pub fn tree(&self) -> Tree {
        Tree::of(self.service)
    }

    pub async fn at_rest(&self) -> Fallible<Tree> {
        let tree = Tree::at_rest(self.service, PATIENCE).await;
        tree.ok_or_else(|| format!("the service does not come to rest\n{}", self.process.log()))
    }

    /// Waits until the service says that it can run no script, for a cause with these words; gives the cause.
    pub async fn unwell(&self, words: &str) -> Fallible<String> {
        const AGAIN: Duration = Duration::from_millis(50);
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let client = client.map_err(|error| error.to_string())?;
        let (begun, url) = (Instant::now(), format!("http://{}/health", self.address));
        loop {
            // Where the service has no descriptor left, the next one may be answered.
            let answer = match client.get(&url).send().await {
                Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
                Err(error) => (0, error.to_string()),
            };
            let health: serde_json::Value = serde_json::from_str(&answer.1).unwrap_or_default();
            match health["cause"].as_str() {
                Some(cause) if answer.0 == 503 && cause.contains(words) => return Ok(cause.to_owned()),
                _ if begun.elapsed() < UNWELL => tokio::time::sleep(AGAIN).await,
                _ => return Err(format!("/health does not say {words:?}: {answer:?}\n{}", self.process.log())),
            }
        }
    }

    /// /tmp as the service sees it.
    pub fn tmp(&self) -> PathBuf {
        format!("/proc/{}/root/tmp", self.service).into()
    }
}

/// A device like /dev/null, for one service. Removed when dropped.
struct Null(PathBuf);

impl Null {
    fn make() -> Fallible<Self> {
        let null = Self(std::env::temp_dir().join(format!("py-executor-chaos-null-{}", unique())));
        let mut make = Command::new("mknod");
        make.arg("--mode=666").arg(&null.0).args(["c", "1", "3"]);
        match make.status() {
            Ok(status) if status.success() => Ok(null),
            failed => Err(format!("mknod {}: {failed:?}", null.0.display())),
        }
    }
}

impl Drop for Null {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The server in mounts and groups of its own, on loopback, at any free port.
fn command(place: &Place, posture: IsolationReport, groups: &Groups, runtime: &Runtime, null: &Null) -> Command {
    let mut words = groups.entrance();
    match posture {
        IsolationReport::Linux => {
            let bind = r#"mount --bind "$1" /dev/null && shift && exec "$@""#;
            let enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", bind, "sh"];
            words.extend(enter.map(str::to_owned));
            words.push(null.0.display().to_string());
        }
        IsolationReport::Container => {
            words.extend([&*place.jail.to_string_lossy(), "container", "--"].map(str::to_owned));
        }
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(&place.server).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("EXECUTOR_HOST", "127.0.0.1").env("PORT", "0").env("EXECUTOR_RUNTIME", runtime.path());
    command.env("EXECUTOR_CONCURRENCY", CONCURRENCY.to_string());
    command
}

fn only_child(pid: u32) -> Option<u32> {
    descendants(pid).iter().find(|entry| entry.parent == pid).map(|entry| entry.pid)
}

/// Mounts in the service's namespace, when everything has been opened that may lie below /tmp.
fn make_tmp_small(service: u32, posture: IsolationReport) -> Fallible<()> {
    let mut mount = Command::new("nsenter");
    mount.args(["--target", &service.to_string(), "--mount", "--pid", "mount"]).args(posture.small_tmp());
    let output = mount.stdin(Stdio::null()).output().map_err(|error| format!("nsenter: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("mount {:?}: {}", posture.small_tmp(), String::from_utf8_lossy(&output.stderr).trim()))
}

/// Numbers as if by chance: the same seed gives the same ones.
pub struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Less than `below`, which is not 0.
    pub fn roll(&self, below: usize) -> usize {
        // SplitMix64.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    pub fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.roll(from.len())) }
    }
}

//! The service's side of a zygote: starting it, asking it for monitors and for a zygote that has more.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::net::SocketFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, Notify, watch};

use super::reaper;
use crate::config::Renewal;
use crate::ipc::channel::{self, Message};
use crate::ipc::{Ready, ZygoteReply, ZygoteRequest};
use crate::process::{ENTER, LOADER, PROGRAM, RUNTIME, SOCKET};
use crate::sandbox::cgroup::Group;
use crate::sandbox::privileges::Installation;
use crate::sandbox::{Mechanism, Policy, SandboxError, join};
use crate::sys;
use crate::telemetry::metrics::ZygoteKind;

/// A zygote that has not finished its imports by then will not.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Entering namespaces takes a few milliseconds, and so does a probe.
const ENTER_LIMIT: Duration = Duration::from_secs(20);

/// A fork takes about a millisecond: a zygote that does not answer hangs, or was stopped.
const FORK_LIMIT: Duration = Duration::from_secs(5);

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot start a zygote: {0}")]
    Spawn(io::Error),
    #[error("cannot start a zygote: {0}")]
    Zygote(String),
    #[error("cannot make a worker: {0}")]
    Worker(String),
    #[error("this host cannot keep the promises:\n{}\nEXECUTOR_POLICY=relaxed starts without them", .0.join("\n"))]
    Promises(Vec<String>),
}

impl StartError {
    /// The cause alone, for messages that say what failed.
    pub fn reason(&self) -> String {
        match self {
            Self::Spawn(error) => error.to_string(),
            Self::Zygote(reason) | Self::Worker(reason) => reason.clone(),
            Self::Promises(_) => self.to_string(),
        }
    }
}

/// A warm Python that forks.
pub struct ZygoteClient {
    socket: Mutex<AsyncFd<OwnedFd>>,
    condemned: Arc<Notify>,
    /// Signal for the end of its processes, and of all that came of them.
    gone: Gone,
    /// What it brings.
    pub ready: Ready,
    /// Whether its workers end with a PID namespace.
    pub has_pid_namespace: bool,
    /// The zygote that it was forked of, with which it would end.
    parent: Option<Arc<ZygoteClient>>,
    /// Others have taken its place: it ends when nothing that came of it is left.
    retired: AtomicBool,
    /// How many scripts its workers had. Those that wait are none: each zygote has some before anybody asks.
    scripts: AtomicU64,
    /// Its resident memory when it was asked first, and when it was asked last, bytes.
    memory: [AtomicU64; 2],
}

/// Says that the processes of a zygote are gone, and all that came of them.
#[derive(Clone, Default)]
pub struct Gone(Arc<watch::Sender<bool>>);

impl Gone {
    pub fn set(&self) {
        self.0.send_replace(true);
    }
}

/// What a host refuses of a policy, or what does not hold.
pub type Refused = Vec<SandboxError>;

/// A zygote's process that has not loaded Python yet.
pub struct StartingZygote {
    socket: AsyncFd<OwnedFd>,
    child: Child,
}

impl StartingZygote {
    /// Starts one, or says what the host refuses of its policy. When its child is dropped, it is killed, and everything
    /// below dies with it.
    pub async fn start(installation: &Installation, policy: &Policy) -> Result<Result<Self, Refused>, StartError> {
        let (socket, theirs) = socket().map_err(StartError::Spawn)?;
        let child = spawn(installation, theirs, policy).map_err(StartError::Spawn)?;
        let mut starting = Self { socket, child };
        match starting.reply(ENTER_LIMIT).await? {
            ZygoteReply::Entered => Ok(Ok(starting)),
            ZygoteReply::Refused(errors) => {
                // It is waited for, so that it is nobody's orphan. It ends by itself; where it cannot be ended, it has.
                let _ = starting.child.kill().await;
                Ok(Err(errors))
            }
            other => Err(unexpected(other)),
        }
    }

    /// Has a policy tried.
    pub async fn probe(
        &mut self,
        installation: &Installation,
        policy: &Policy,
    ) -> Result<Result<(), Refused>, StartError> {
        let group = match &installation.cgroups {
            Ok(cgroups) if policy.has(Mechanism::Cgroup) => match cgroups.probe() {
                Ok(group) => Some(group),
                Err(refused) => return Ok(Err(vec![refused])),
            },
            _ => None,
        };
        let group: Vec<_> = group.iter().map(AsFd::as_fd).collect();
        match self.ask(&ZygoteRequest::Probe(policy.clone()), &group, ENTER_LIMIT).await? {
            ZygoteReply::Held => Ok(Ok(())),
            ZygoteReply::Refused(errors) => Ok(Err(errors)),
            other => Err(unexpected(other)),
        }
    }

    /// Loads Python. `preload`: what [`ZygoteClient::preload`] will be asked for. Its process comes along.
    pub async fn finish_start(
        mut self,
        policy: &Policy,
        preload: &[String],
    ) -> Result<(ZygoteClient, Child), StartError> {
        let request = ZygoteRequest::Serve { policy: policy.clone(), preload: preload.to_vec() };
        match self.ask(&request, &[], START_LIMIT).await? {
            ZygoteReply::Ready(ready) => {
                Ok((ZygoteClient::new(self.socket, ready, policy.has(Mechanism::Namespaces), None), self.child))
            }
            other => Err(unexpected(other)),
        }
    }

    async fn ask(
        &mut self,
        request: &ZygoteRequest,
        descriptors: &[BorrowedFd<'_>],
        limit: Duration,
    ) -> Result<ZygoteReply, StartError> {
        channel::send_json(self.socket.get_ref(), request, descriptors).map_err(|error| self.report_exit(&error))?;
        self.reply(limit).await
    }

    async fn reply(&mut self, limit: Duration) -> Result<ZygoteReply, StartError> {
        reply(&self.socket, limit).await.map_err(|error| self.report_exit(&error))
    }

    fn report_exit(&mut self, error: &io::Error) -> StartError {
        let ended = self.child.try_wait().ok().flatten().map_or_else(String::new, |status| format!("; {status}"));
        StartError::Zygote(format!("it ended before it was ready ({error}{ended})"))
    }
}

fn unexpected(reply: ZygoteReply) -> StartError {
    StartError::Zygote(match reply {
        ZygoteReply::Failed { reason } | ZygoteReply::NotForked { reason } => reason,
        ZygoteReply::Refused(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        other => format!("unexpected answer {other:?}"),
    })
}

impl ZygoteClient {
    fn new(socket: AsyncFd<OwnedFd>, ready: Ready, has_pid_namespace: bool, parent: Option<Arc<Self>>) -> Self {
        Self {
            socket: Mutex::new(socket),
            condemned: Arc::default(),
            gone: Gone::default(),
            ready,
            has_pid_namespace,
            parent,
            retired: AtomicBool::new(false),
            scripts: AtomicU64::new(0),
            memory: [const { AtomicU64::new(0) }; 2],
        }
    }

    /// Starts one by a policy that is known to hold here.
    pub async fn start(
        installation: &Installation,
        policy: &Policy,
        preload: &[String],
    ) -> Result<(Self, Child), StartError> {
        let refused = |errors: Refused| unexpected(ZygoteReply::Refused(errors));
        StartingZygote::start(installation, policy).await?.map_err(refused)?.finish_start(policy, preload).await
    }

    /// Forks a zygote of this one that has more modules imported, and something that says when it has died.
    pub async fn preload(self: &Arc<Self>, modules: &[String]) -> Result<(Self, Lifeline), StartError> {
        let failed = |error: io::Error| StartError::Zygote(error.to_string());
        let (socket, theirs) = socket().map_err(failed)?;
        let (lifeline, their_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let request = ZygoteRequest::Preload(modules.to_vec());
        self.ask(&request, &[theirs.as_fd(), their_end.as_fd()]).await.map_err(failed)?;
        drop((theirs, their_end));
        let lifeline = Lifeline(pipe::Receiver::from_owned_fd(lifeline).map_err(failed)?);
        match reply(&socket, START_LIMIT).await.map_err(failed)? {
            ZygoteReply::Ready(ready) => {
                Ok((Self::new(socket, ready, self.has_pid_namespace, Some(Arc::clone(self))), lifeline))
            }
            other => Err(unexpected(other)),
        }
    }

    /// Forks a monitor, which gets its end of a socket, and a cgroup for its workers. Gives the other end, and its process id as
    /// the zygote knows it.
    pub async fn monitor(&self, group: Option<&Group>) -> io::Result<(AsyncFd<OwnedFd>, i32)> {
        let (control, theirs) = socket()?;
        let descriptors: Vec<_> = std::iter::once(theirs.as_fd()).chain(group.map(AsFd::as_fd)).collect();
        let process = self.ask(&ZygoteRequest::Monitor, &descriptors).await?;
        Ok((control, process))
    }

    /// Ends a monitor that does not end by itself, and waits until nothing is left of what came of it. Only where it has a PID
    /// namespace, which ends with it. If this zygote does not do it, it is ended with all of its monitors.
    pub async fn end_monitor(&self, monitor: i32) {
        /// The kernel takes milliseconds, or longer on a busy machine.
        const PAUSE: Duration = Duration::from_millis(5);
        const LIMIT: Duration = Duration::from_secs(10);
        let ended = async {
            while let Ok(ZygoteReply::Ending { is_gone }) = self.exchange(&ZygoteRequest::End { monitor }, &[]).await {
                if is_gone {
                    return true;
                }
                tokio::time::sleep(PAUSE).await;
            }
            false
        };
        if !tokio::time::timeout(LIMIT, ended).await.unwrap_or(false) {
            let first = self.parent.as_deref().unwrap_or(self);
            first.condemned.notify_one();
            // The sender lives as long as this does.
            let _ = first.gone.0.subscribe().wait_for(|gone| *gone).await;
        }
    }

    /// For whoever sees to the end of its processes, which this must not keep alive.
    pub fn gone(&self) -> Gone {
        self.gone.clone()
    }

    /// Likewise: notified when it is not to be used any more.
    pub fn condemnation(&self) -> Arc<Notify> {
        Arc::clone(&self.condemned)
    }

    /// Has something forked. Gives its process id.
    async fn ask(&self, request: &ZygoteRequest, descriptors: &[BorrowedFd<'_>]) -> io::Result<i32> {
        match self.exchange(request, descriptors).await? {
            ZygoteReply::Forked { process } => Ok(process),
            ZygoteReply::NotForked { reason } => Err(io::Error::other(reason)),
            other => Err(self.condemn(&other)),
        }
    }

    /// Makes sure that it still answers. If it does not, it is condemned.
    pub async fn ping(&self) -> io::Result<()> {
        match self.exchange(&ZygoteRequest::Ping, &[]).await? {
            ZygoteReply::Pong { max_rss_bytes } => {
                let [first, last] = &self.memory;
                let _ = first.compare_exchange(0, max_rss_bytes, Ordering::Relaxed, Ordering::Relaxed);
                last.store(max_rss_bytes, Ordering::Relaxed);
                Ok(())
            }
            other => Err(self.condemn(&other)),
        }
    }

    async fn exchange(&self, request: &ZygoteRequest, descriptors: &[BorrowedFd<'_>]) -> io::Result<ZygoteReply> {
        let socket = self.socket.lock().await;
        channel::send_json(socket.get_ref(), request, descriptors)?;
        let unanswered = Unanswered(&self.condemned);
        // On a host that gives no processor time between requests the clock goes on while neither of the two runs. So the time
        // is given in two halves: the second one begins when this process runs again.
        let mut answer = reply(&socket, FORK_LIMIT / 2).await;
        if answer.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            answer = reply(&socket, FORK_LIMIT / 2).await;
        }
        let answer = answer?;
        std::mem::forget(unanswered);
        Ok(answer)
    }

    fn condemn(&self, reply: &ZygoteReply) -> io::Error {
        self.condemned.notify_one();
        io::Error::other(format!("unexpected answer {reply:?}"))
    }

    /// Which of the two it is.
    pub fn kind(&self) -> ZygoteKind {
        if self.parent.is_some() { ZygoteKind::Preloaded } else { ZygoteKind::Base }
    }

    /// Nothing more is to come of it.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// A worker of it has a script.
    pub fn count_script(&self) {
        self.scripts.fetch_add(1, Ordering::Relaxed);
    }

    /// Its resident memory, bytes; 0 before it was asked.
    pub fn memory(&self) -> u64 {
        self.memory[1].load(Ordering::Relaxed)
    }

    /// Whether it has done enough.
    pub fn is_spent(&self, renewal: Renewal) -> bool {
        let [first, last] = [0, 1].map(|at: usize| self.memory[at].load(Ordering::Relaxed));
        let scripts = self.scripts.load(Ordering::Relaxed);
        last.saturating_sub(first) > renewal.growth_bytes || (renewal.scripts > 0 && scripts >= renewal.scripts)
    }

    /// Waits until the zygote is not to be used any more.
    pub async fn condemned(&self) {
        self.condemned.notified().await;
    }
}

/// A zygote that owes an answer. One whose answer nobody waits for any more cannot be asked again: it may still come.
struct Unanswered<'a>(&'a Notify);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The end of a pipe whose other end a zygote has.
pub struct Lifeline(pipe::Receiver);

impl Lifeline {
    /// Waits until the zygote has died.
    pub async fn ended(&mut self) {
        // Nothing is ever written to it.
        let _ = self.0.read(&mut [0; 1]).await;
    }
}

/// A socket for this process, and its other end.
fn socket() -> io::Result<(AsyncFd<OwnedFd>, OwnedFd)> {
    let (ours, theirs) = channel::pair(SocketFlags::empty())?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((sys::watched(ours)?, theirs))
}

fn spawn(installation: &Installation, socket: OwnedFd, policy: &Policy) -> io::Result<Child> {
    // Named by its descriptor, not by a path: the program may lie where this user cannot go. The number is the child's,
    // in which the descriptors are already in place when it executes the program.
    let mut command = std::process::Command::new(format!("/proc/self/fd/{PROGRAM}"));
    command.args([ENTER, &join(&policy.mechanisms)]).stdin(Stdio::null()).stdout(Stdio::null());
    if policy.has(Mechanism::Environment) {
        command.env_clear();
    }
    let mappings = [
        (socket, SOCKET),
        (installation.runtime.try_clone()?, RUNTIME),
        (installation.program.try_clone()?, PROGRAM),
        (installation.loader.try_clone()?, LOADER),
    ];
    let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.into()).map_err(io::Error::other)?;
    let child = Command::from(command).kill_on_drop(true).spawn()?;
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        reaper::register(pid);
    }
    Ok(child)
}

async fn reply(socket: &AsyncFd<OwnedFd>, limit: Duration) -> io::Result<ZygoteReply> {
    let reply = async { receive(socket).await?.parse() };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, reply).await.map_err(late)?
}

async fn receive(socket: &AsyncFd<OwnedFd>) -> io::Result<Message> {
    let message = socket.async_io(Interest::READABLE, |socket| channel::receive(socket)).await?;
    message.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

//! The service's side of a zygote: starting it, asking it for workers, replacing it when it dies.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::net::SocketFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, Notify};

use crate::channel::{self, Message};
use crate::protocol::{FORK, ZygoteReply, ZygoteRequest};
use crate::sandbox::privileges::Installation;
use crate::sandbox::{Mechanism, Policy, SandboxError, join};
use crate::sys;
use crate::zygote::{ENTER, LOADER, PROGRAM, RUNTIME, SOCKET};

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

/// A warm Python that forks.
pub struct Zygote {
    socket: Mutex<AsyncFd<OwnedFd>>,
    condemned: Notify,
    /// Python's version.
    pub python: String,
    /// Whether its workers end with a PID namespace.
    pub has_pid_namespace: bool,
}

/// What a host refuses of a policy, or what does not hold.
pub type Refused = Vec<SandboxError>;

/// A zygote's process that has not loaded Python yet.
pub struct Embryo {
    socket: AsyncFd<OwnedFd>,
    child: Child,
}

impl Embryo {
    /// Starts one, or says what the host refuses of its policy. When its child is dropped, it is killed, and everything
    /// below dies with it.
    pub async fn start(installation: &Installation, policy: &Policy) -> Result<Result<Self, Refused>, StartError> {
        let (ours, theirs) = channel::pair(SocketFlags::empty()).map_err(StartError::Spawn)?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|errno| StartError::Spawn(errno.into()))?;
        let child = spawn(installation, theirs, policy).map_err(StartError::Spawn)?;
        let mut embryo = Self { socket: sys::watched(ours).map_err(StartError::Spawn)?, child };
        match embryo.reply(ENTER_LIMIT).await? {
            ZygoteReply::Entered => Ok(Ok(embryo)),
            ZygoteReply::Refused(errors) => Ok(Err(errors)),
            other => Err(unexpected(other)),
        }
    }

    /// Has a policy tried.
    pub async fn probe(&mut self, policy: &Policy) -> Result<Result<(), Refused>, StartError> {
        match self.ask(&ZygoteRequest::Probe(policy.clone()), ENTER_LIMIT).await? {
            ZygoteReply::Held => Ok(Ok(())),
            ZygoteReply::Refused(errors) => Ok(Err(errors)),
            other => Err(unexpected(other)),
        }
    }

    /// Loads Python and does the imports. Its process comes along.
    pub async fn grow_up(mut self, policy: &Policy, preload: &[String]) -> Result<(Zygote, Child), StartError> {
        let request = ZygoteRequest::Serve { policy: policy.clone(), preload: preload.to_vec() };
        match self.ask(&request, START_LIMIT).await? {
            ZygoteReply::Ready { python } => {
                let zygote = Zygote {
                    socket: Mutex::new(self.socket),
                    condemned: Notify::new(),
                    python,
                    has_pid_namespace: policy.has(Mechanism::Namespaces),
                };
                Ok((zygote, self.child))
            }
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&mut self, request: &ZygoteRequest, limit: Duration) -> Result<ZygoteReply, StartError> {
        channel::send_json(self.socket.get_ref(), request, &[]).map_err(|error| self.ended(&error))?;
        self.reply(limit).await
    }

    async fn reply(&mut self, limit: Duration) -> Result<ZygoteReply, StartError> {
        let reply = async { receive(&self.socket).await?.parse() };
        match tokio::time::timeout(limit, reply).await {
            Ok(reply) => reply.map_err(|error| self.ended(&error)),
            Err(_) => Err(StartError::Zygote(format!("it was not ready within {} s", limit.as_secs()))),
        }
    }

    fn ended(&mut self, error: &io::Error) -> StartError {
        let ended = self.child.try_wait().ok().flatten().map_or_else(String::new, |status| format!("; {status}"));
        StartError::Zygote(format!("it ended before it was ready ({error}{ended})"))
    }
}

fn unexpected(reply: ZygoteReply) -> StartError {
    StartError::Zygote(match reply {
        ZygoteReply::Failed { reason } => reason,
        ZygoteReply::Refused(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        other => format!("unexpected answer {other:?}"),
    })
}

impl Zygote {
    /// Starts one by a policy that is known to hold here.
    pub async fn start(
        installation: &Installation,
        policy: &Policy,
        preload: &[String],
    ) -> Result<(Self, Child), StartError> {
        let refused = |errors: Refused| unexpected(ZygoteReply::Refused(errors));
        Embryo::start(installation, policy).await?.map_err(refused)?.grow_up(policy, preload).await
    }

    /// Forks a worker that gets these descriptors.
    pub async fn fork(&self, descriptors: [BorrowedFd<'_>; 4]) -> io::Result<()> {
        let socket = self.socket.lock().await;
        channel::send(socket.get_ref(), FORK, &descriptors)?;
        let answer = tokio::time::timeout(FORK_LIMIT, forked(&socket)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the zygote does not answer")));
        if answer.is_err() {
            // An answer may still be under way, so this zygote cannot be asked again.
            self.condemned.notify_one();
        }
        answer?.map_err(io::Error::other)
    }

    /// Waits until the zygote is not to be used any more.
    pub async fn condemned(&self) {
        self.condemned.notified().await;
    }
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
    Command::from(command).kill_on_drop(true).spawn()
}

/// The answer to a request for a worker, which may be why the zygote could not fork. An error is one of the zygote itself.
async fn forked(socket: &AsyncFd<OwnedFd>) -> io::Result<Result<(), String>> {
    match receive(socket).await?.parse()? {
        ZygoteReply::Forked => Ok(Ok(())),
        ZygoteReply::NotForked { reason } => Ok(Err(reason)),
        other => Err(io::Error::other(format!("unexpected answer {other:?}"))),
    }
}

async fn receive(socket: &AsyncFd<OwnedFd>) -> io::Result<Message> {
    let message = socket.async_io(Interest::READABLE, |socket| channel::receive(socket)).await?;
    message.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

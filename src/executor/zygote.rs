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
use crate::protocol::{FORK, Hello, ZygoteReply};
use crate::sandbox::privileges::Installation;
use crate::sys;
use crate::zygote::{ENTER, PROGRAM, RUNTIME, SOCKET};

/// A zygote that has not finished its imports by then will not.
const START_LIMIT: Duration = Duration::from_mins(1);

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
}

/// A warm Python that forks.
pub struct Zygote {
    socket: Mutex<AsyncFd<OwnedFd>>,
    condemned: Notify,
    /// Python's version.
    pub python: String,
}

impl Zygote {
    /// Starts one and waits until its imports are done. Its process comes along: when the child is dropped, it is
    /// killed, and everything below dies with it.
    pub async fn start(installation: &Installation, hello: &Hello) -> Result<(Self, Child), StartError> {
        let (ours, theirs) = channel::pair(SocketFlags::empty()).map_err(StartError::Spawn)?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|errno| StartError::Spawn(errno.into()))?;
        let mut child = spawn(installation, theirs).map_err(StartError::Spawn)?;
        let socket = sys::watched(ours).map_err(StartError::Spawn)?;
        let greeting = async {
            channel::send_json(socket.get_ref(), hello, &[])?;
            receive(&socket).await?.parse()
        };
        match tokio::time::timeout(START_LIMIT, greeting).await {
            Ok(Ok(ZygoteReply::Ready { python })) => {
                Ok((Self { socket: Mutex::new(socket), condemned: Notify::new(), python }, child))
            }
            Ok(Ok(ZygoteReply::Failed { reason })) => Err(StartError::Zygote(reason)),
            Ok(Ok(other)) => Err(StartError::Zygote(format!("unexpected answer {other:?}"))),
            Ok(Err(error)) => {
                let ended = child.try_wait().ok().flatten().map_or_else(String::new, |status| format!("; {status}"));
                Err(StartError::Zygote(format!("it ended before it was ready ({error}{ended})")))
            }
            Err(_) => Err(StartError::Zygote(format!("it was not ready within {} s", START_LIMIT.as_secs()))),
        }
    }

    /// Forks a worker that gets these descriptors. Gives the guard's pidfd.
    pub async fn fork(&self, descriptors: [BorrowedFd<'_>; 4]) -> io::Result<OwnedFd> {
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

fn spawn(installation: &Installation, socket: OwnedFd) -> io::Result<Child> {
    // Named by its descriptor, not by a path: the program may lie where this user cannot go. The number is the child's,
    // in which the descriptors are already in place when it executes the program.
    let mut command = std::process::Command::new(format!("/proc/self/fd/{PROGRAM}"));
    command.arg(ENTER).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    let mappings =
        [(socket, SOCKET), (installation.runtime.try_clone()?, RUNTIME), (installation.program.try_clone()?, PROGRAM)];
    let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.into()).map_err(io::Error::other)?;
    Command::from(command).kill_on_drop(true).spawn()
}

/// The answer to a request for a worker: a pidfd, or why the zygote could not fork. An error is one of the zygote itself.
async fn forked(socket: &AsyncFd<OwnedFd>) -> io::Result<Result<OwnedFd, String>> {
    let message = receive(socket).await?;
    match message.parse()? {
        ZygoteReply::Forked => match message.descriptors.into_iter().next() {
            Some(pidfd) => Ok(Ok(pidfd)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "no pidfd came with a fork")),
        },
        ZygoteReply::NotForked { reason } => Ok(Err(reason)),
        other => Err(io::Error::other(format!("unexpected answer {other:?}"))),
    }
}

async fn receive(socket: &AsyncFd<OwnedFd>) -> io::Result<Message> {
    let message = socket.async_io(Interest::READABLE, |socket| channel::receive(socket)).await?;
    message.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

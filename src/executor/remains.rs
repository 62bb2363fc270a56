//! What is left of a worker when its job is over, and the turn that it still takes.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{error, warn};

use crate::channel;
use crate::protocol::{END, GuardReport, START};

/// Killing a tree of processes and removing what they made takes milliseconds, or seconds for thousands of directories on
/// a slow disk; a guard that takes longer than this was stopped, or hangs.
const SWEEP_LIMIT: Duration = Duration::from_mins(1);

/// A worker's guard, and with that everything that comes of the worker. Ended when dropped.
pub struct Remains(Option<Guard>);

struct Guard {
    control: AsyncFd<OwnedFd>,
    /// The worker, where the service sees it under the guard's number: where there is no PID namespace.
    visible: Option<Pid>,
    /// Given back when everything is gone, also where nobody waits for that.
    turn: Option<OwnedSemaphorePermit>,
}

/// What a worker and its descendants used.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub cpu: Duration,
    pub max_rss_bytes: u64,
}

impl Remains {
    /// `control` is the service's end of the guard's socket.
    pub fn new(control: AsyncFd<OwnedFd>) -> Self {
        Self(Some(Guard { control, visible: None, turn: None }))
    }

    /// Keeps the number of a worker that no PID namespace ends.
    pub fn remember(&mut self, worker: i32) {
        self.guard_mut().visible = Pid::from_raw(worker);
    }

    /// Keeps a turn until everything is gone.
    pub fn hold(&mut self, turn: OwnedSemaphorePermit) {
        self.guard_mut().turn = Some(turn);
    }

    /// Whether the guard, and with it its worker, still waits for a job.
    pub fn are_alive(&self) -> bool {
        // A parked worker's guard has nothing to say but that it has ended.
        let mut said = [PollFd::new(self.guard().control.get_ref(), PollFlags::IN)];
        poll(&mut said, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }

    /// Tells the guard that the job starts.
    pub fn start_watching(&self) -> io::Result<()> {
        channel::send(self.guard().control.get_ref(), START, &[])
    }

    /// The guard's next report. Can be dropped at any time without losing one.
    pub async fn report(&self) -> io::Result<GuardReport> {
        self.guard().report().await
    }

    fn guard(&self) -> &Guard {
        self.0.as_ref().expect("the guard is taken only by `gone` and `drop`")
    }

    fn guard_mut(&mut self) -> &mut Guard {
        self.0.as_mut().expect("the guard is taken only by `gone` and `drop`")
    }

    /// Ends what is left of the worker, waits until that is done, and gives back its turn.
    pub async fn gone(mut self) -> (Option<Usage>, Option<OwnedSemaphorePermit>) {
        let usage = self.guard().end().await;
        (usage, self.guard_mut().turn.take())
    }
}

impl Drop for Remains {
    /// A guard ends everything also when the service's end of its socket is closed.
    fn drop(&mut self) {
        let Some(guard) = self.0.take() else { return };
        if guard.turn.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { guard.end().await });
        }
    }
}

impl Guard {
    async fn report(&self) -> io::Result<GuardReport> {
        let message = self.control.async_io(Interest::READABLE, |control| channel::receive(control)).await?;
        message.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?.parse()
    }

    /// Has everything ended.
    async fn end(&self) -> Option<Usage> {
        // If it ends by itself already, it does not hear this.
        let _ = channel::send(self.control.get_ref(), END, &[]);
        self.kill();
        let ended = tokio::time::timeout(SWEEP_LIMIT, self.last_report()).await;
        match ended.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(Ok(usage)) => Some(usage),
            Ok(Err(reason)) => self.failed(&reason),
            Err(error) => self.failed(&error.to_string()),
        }
    }

    /// Kills a worker that can be seen from here, without waiting for its guard.
    fn kill(&self) {
        if let Some(worker) = self.visible {
            // Either may be gone already.
            let _ = kill_process_group(worker, Signal::KILL);
            let _ = kill_process(worker, Signal::KILL);
        }
    }

    /// What the guard says when nothing is left, or why something may be.
    async fn last_report(&self) -> io::Result<Result<Usage, String>> {
        loop {
            match self.report().await? {
                GuardReport::Gone { cpu_us, max_rss_bytes } => {
                    return Ok(Ok(Usage { cpu: Duration::from_micros(cpu_us), max_rss_bytes }));
                }
                GuardReport::Remains { reason } => return Ok(Err(reason)),
                _ => {}
            }
        }
    }

    /// A guard that is an init process takes everything along, whatever became of it. Elsewhere nothing vouches for what
    /// it guarded, so the service does not go on.
    fn failed(&self, reason: &str) -> Option<Usage> {
        if self.visible.is_none() {
            warn!(reason, "a guard has not finished");
            return None;
        }
        self.kill();
        error!(reason, "a script may have left something behind, so the service ends");
        std::process::exit(COMPROMISED)
    }
}

/// The status of a service that could not make sure that nothing was left of a script.
pub const COMPROMISED: i32 = 70;

//! What is left of a worker when its job is over, and the turn that it still takes.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::OwnedSemaphorePermit;

use crate::channel;
use crate::protocol::{GuardReport, START};

/// How long a worker that has answered may take to end by itself, so that its guard can report what it used.
const REPORT_LIMIT: Duration = Duration::from_millis(100);

/// A worker's guard, and with that everything in its PID namespace. Killed when dropped.
pub struct Remains(Option<Guard>);

struct Guard {
    control: AsyncFd<OwnedFd>,
    pidfd: AsyncFd<OwnedFd>,
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
    pub fn new(control: AsyncFd<OwnedFd>, pidfd: AsyncFd<OwnedFd>) -> Self {
        Self(Some(Guard { control, pidfd, turn: None }))
    }

    /// Keeps a turn until everything is gone.
    pub fn hold(&mut self, turn: OwnedSemaphorePermit) {
        self.guard_mut().turn = Some(turn);
    }

    /// Whether the guard, and with it its worker, still waits for a job.
    pub fn are_alive(&self) -> bool {
        // A pidfd becomes readable when its process ends (pidfd_open(2)).
        let mut ended = [PollFd::new(self.guard().pidfd.get_ref(), PollFlags::IN)];
        poll(&mut ended, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
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

    /// Waits until nothing is left of the worker, and gives back its turn. A worker that has answered gets a moment to
    /// end by itself, so that its guard can say what it used.
    pub async fn gone(mut self, expect_report: bool) -> (Option<Usage>, Option<OwnedSemaphorePermit>) {
        let mut usage = None;
        if expect_report
            && let Ok(Ok(GuardReport::Ended { cpu_us, max_rss_bytes, .. })) =
                tokio::time::timeout(REPORT_LIMIT, self.report()).await
        {
            usage = Some(Usage { cpu: Duration::from_micros(cpu_us), max_rss_bytes });
        }
        self.guard().end().await;
        (usage, self.guard_mut().turn.take())
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        let Some(guard) = self.0.take() else { return };
        guard.kill();
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

    fn kill(&self) {
        // It may have ended already.
        let _ = pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL);
    }

    /// Kills it and waits for its end, which is the end of all: the kernel lets an init process go last.
    async fn end(&self) {
        self.kill();
        let _ = self.pidfd.readable().await;
    }
}

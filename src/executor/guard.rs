//! A guard, as the service sees it: it makes one worker after the other, and ends each with all that came of it.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::queue::Place;
use super::zygote::Zygote;
use crate::channel;
use crate::protocol::{END, GuardReport, MAKE, START, Used};
use crate::sandbox::cgroup::{Group, Subtree};
use crate::sandbox::{Policy, SandboxError};
use crate::telemetry::metrics::Metrics;

/// Locking a worker in takes about a millisecond.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// Killing a tree of processes takes milliseconds, and removing what they made seconds, for thousands of directories on a slow
/// disk; a guard that takes longer than this was stopped, or hangs. One with namespaces removes nothing by hand.
const SWEEP_LIMIT: Duration = Duration::from_mins(1);
const NAMESPACE_LIMIT: Duration = Duration::from_secs(10);

/// The status of a service that could not make sure that nothing was left of a script.
pub const COMPROMISED: i32 = 70;

/// Why a worker could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    #[error("cannot make its channels: {0}")]
    Channels(io::Error),
    #[error("cannot make a cgroup: {0}")]
    Cgroup(SandboxError),
    #[error("cannot fork: {0}")]
    Fork(io::Error),
    #[error("its guard is gone: {0}")]
    Guard(io::Error),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Sandbox(Vec<SandboxError>),
    #[error("unexpected report {0}")]
    Unexpected(String),
    #[error("it was not ready within {} s", READY_LIMIT.as_secs())]
    Slow,
}

/// A guard without a worker. It ends when this is dropped.
pub struct Guard {
    control: AsyncFd<OwnedFd>,
    /// Its process id, as its zygote knows it.
    process: i32,
    /// The cgroup of its workers, which is removed when nobody needs it.
    _group: Option<Group>,
    /// The zygote that it came of, which is there as long as this is.
    zygote: Arc<Zygote>,
    home: Weak<Mutex<Vec<Guard>>>,
    metrics: Arc<Metrics>,
}

/// Where guards wait to be used again.
#[derive(Clone)]
pub struct Home {
    guards: Arc<Mutex<Vec<Guard>>>,
    cgroups: Option<Cgroups>,
    metrics: Arc<Metrics>,
}

/// Parts that the cgroups of workers are made of.
#[derive(Clone)]
pub struct Cgroups {
    pub subtree: Subtree,
    pub policy: Policy,
}

impl Home {
    pub fn new(cgroups: Option<Cgroups>, metrics: Arc<Metrics>) -> Self {
        Self { guards: Arc::default(), cgroups, metrics }
    }

    /// Another one.
    pub fn like(&self) -> Self {
        Self::new(self.cgroups.clone(), Arc::clone(&self.metrics))
    }

    /// Has a guard made that comes back here.
    pub async fn found(&self, zygote: &Arc<Zygote>) -> Result<Guard, MakeError> {
        let group = self.cgroups.as_ref().map(|cgroups| cgroups.subtree.group(&cgroups.policy));
        let group = group.transpose().map_err(MakeError::Cgroup)?;
        let (control, process) = zygote.guard(group.as_ref()).await.map_err(MakeError::Fork)?;
        Ok(Guard {
            control,
            process,
            _group: group,
            zygote: Arc::clone(zygote),
            home: Arc::downgrade(&self.guards),
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// The one that came back last: what it uses is most likely still in the processor's caches. Those of other zygotes,
    /// which are gone, end.
    pub fn take(&self, zygote: &Arc<Zygote>) -> Option<Guard> {
        let mut guards = self.guards.lock().unwrap_or_else(PoisonError::into_inner);
        guards.retain(|guard| Arc::ptr_eq(&guard.zygote, zygote));
        guards.pop()
    }

    /// Ends those that nobody will ask again.
    pub fn clear_retired(&self) {
        self.guards.lock().unwrap_or_else(PoisonError::into_inner).retain(|guard| !guard.zygote.is_retired());
    }

    /// Ends those that are here.
    pub fn clear(&self) {
        self.guards.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Guard {
    /// Has a worker made that gets these descriptors, and waits until it is locked in.
    pub async fn make(self, descriptors: [BorrowedFd<'_>; 3]) -> Result<Remains, MakeError> {
        channel::send(self.control.get_ref(), MAKE, &descriptors).map_err(MakeError::Guard)?;
        let worker = match tokio::time::timeout(READY_LIMIT, self.report()).await {
            Ok(Ok(GuardReport::Ready { worker })) => worker,
            // Each of these two is the last that a guard says.
            Ok(Ok(GuardReport::Failed(errors))) => return Err(MakeError::Sandbox(errors)),
            Ok(Err(error)) => return Err(MakeError::Guard(error)),
            unusable => {
                self.zygote.end_guard(self.process).await;
                return Err(unusable.map_or(MakeError::Slow, |report| MakeError::Unexpected(format!("{report:?}"))));
            }
        };
        let visible = Pid::from_raw(worker).filter(|_| !self.zygote.has_pid_namespace);
        self.metrics.worker_made(self.zygote.kind());
        Ok(Remains(Some(Engaged { guard: self, visible, place: None, listener: None })))
    }

    async fn report(&self) -> io::Result<GuardReport> {
        let message = self.control.async_io(Interest::READABLE, |control| channel::receive(control)).await?;
        message.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?.parse()
    }

    fn go_home(self) {
        // When the pool is gone there is no home, and the guard ends. Nor is there one for those who are not asked again.
        if let Some(home) = self.home.upgrade().filter(|_| !self.zygote.is_retired()) {
            home.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        }
    }
}

/// A worker's guard, and with that everything that comes of the worker. Ended when dropped.
pub struct Remains(Option<Engaged>);

struct Engaged {
    guard: Guard,
    /// The worker, where the service sees it under the guard's number: where there is no PID namespace.
    visible: Option<Pid>,
    /// Given back when everything is gone, also where nobody waits for that.
    place: Option<Place>,
    /// Who wants to know what was used, as soon as that is known.
    listener: Option<oneshot::Sender<Used>>,
}

impl Remains {
    /// Keeps a place until everything is gone.
    pub fn hold(&mut self, place: Place) {
        if let Some(engaged) = &mut self.0 {
            engaged.place = Some(place);
        }
    }

    /// Tells what was used when the worker is about to be ended, or has ended.
    pub fn listen(&mut self) -> oneshot::Receiver<Used> {
        let (listener, used) = oneshot::channel();
        if let Some(engaged) = &mut self.0 {
            engaged.listener = Some(listener);
        }
        used
    }

    /// Whether the guard, and with it its worker, still waits for a job.
    pub fn are_alive(&self) -> bool {
        // A parked worker's guard has nothing to say but that it has ended.
        let mut said = [PollFd::new(self.guard().control.get_ref(), PollFlags::IN)];
        poll(&mut said, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }

    /// Whether another zygote has taken the place of the one that they come of.
    pub fn are_retired(&self) -> bool {
        self.guard().zygote.is_retired()
    }

    /// Tells the guard that the job has come.
    pub fn start_watching(&self) -> io::Result<()> {
        self.guard().zygote.count_script();
        channel::send(self.guard().control.get_ref(), START, &[])
    }

    /// The guard's next report. Can be dropped at any time without losing one.
    pub async fn report(&self) -> io::Result<GuardReport> {
        self.guard().report().await
    }

    fn guard(&self) -> &Guard {
        &self.engaged().guard
    }

    fn engaged(&self) -> &Engaged {
        self.0.as_ref().expect("it is taken only by `gone` and `drop`")
    }

    /// Ends what is left of the worker, waits until that is done, and gives back its place. The guard goes home.
    pub async fn gone(mut self) -> (Option<Used>, Option<Place>) {
        let mut used = None;
        if let Some(engaged) = &mut self.0 {
            used = engaged.end().await;
        }
        let place = self.0.take().and_then(|engaged| engaged.part(used));
        (used, place)
    }
}

impl Drop for Remains {
    /// A guard ends everything also when the service's end of its socket is closed.
    fn drop(&mut self) {
        let Some(mut engaged) = self.0.take() else { return };
        if engaged.place.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let used = engaged.end().await;
                engaged.part(used)
            });
        }
    }
}

impl Engaged {
    /// The guard goes home, if nothing is left of its worker, which then has a known usage. Gives back the place.
    fn part(self, used: Option<Used>) -> Option<Place> {
        if used.is_some() {
            self.guard.go_home();
        }
        self.place
    }

    /// Has everything ended.
    async fn end(&mut self) -> Option<Used> {
        // If it ends by itself already, it passes over this.
        let _ = channel::send(self.guard.control.get_ref(), END, &[]);
        self.kill();
        let limit = if self.guard.zygote.has_pid_namespace { NAMESPACE_LIMIT } else { SWEEP_LIMIT };
        let ended = tokio::time::timeout(limit, self.last_report()).await;
        match ended.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(Ok(used)) => Some(used),
            Ok(Err(reason)) => self.failed(&reason).await,
            Err(error) => self.failed(&error.to_string()).await,
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
    async fn last_report(&mut self) -> io::Result<Result<Used, String>> {
        loop {
            let report = self.guard.report().await?;
            if let GuardReport::Ending(used) | GuardReport::Gone(used) = report
                && let Some(listener) = self.listener.take()
            {
                // Whoever does not want to know any more has gone away.
                let _ = listener.send(used);
            }
            match report {
                GuardReport::Gone(used) => return Ok(Ok(used)),
                GuardReport::Remains { reason } => return Ok(Err(reason)),
                _ => {}
            }
        }
    }

    /// A guard that is an init process takes everything along when it ends, which is seen to. Elsewhere nothing vouches for
    /// what it guarded, so the service does not go on.
    async fn failed(&self, reason: &str) -> Option<Used> {
        if self.guard.zygote.has_pid_namespace {
            warn!(reason, "a guard has not finished, so it is ended");
            self.guard.zygote.end_guard(self.guard.process).await;
            return None;
        }
        self.kill();
        error!(reason, "a script may have left something behind, so the service ends");
        std::process::exit(COMPROMISED)
    }
}

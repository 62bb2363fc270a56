//! A monitor, as the service sees it: it makes one worker after the other, and ends each with all that came of it.

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

use super::queue::RunPermit;
use super::zygote_client::ZygoteClient;
use crate::ipc::channel;
use crate::ipc::{END, MAKE, MonitorReport, START};
use crate::sandbox::cgroup::{Group, Subtree};
use crate::sandbox::usage::Used;
use crate::sandbox::{Policy, SandboxError};
use crate::telemetry::metrics::Metrics;

/// Locking a worker in takes about a millisecond.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// Killing a tree of processes takes milliseconds, and removing what they made seconds, for thousands of directories on a slow
/// disk; a monitor that takes longer than this was stopped, or hangs. One with namespaces removes nothing by hand.
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
    #[error("its monitor is gone: {0}")]
    Monitor(io::Error),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Sandbox(Vec<SandboxError>),
    #[error("unexpected report {0}")]
    Unexpected(String),
    #[error("it was not ready within {} s", READY_LIMIT.as_secs())]
    Slow,
}

/// A monitor without a worker. It ends when this is dropped.
pub struct MonitorClient {
    control: AsyncFd<OwnedFd>,
    /// Its process id, as its zygote knows it.
    process: i32,
    /// The cgroup of its workers, which is removed when nobody needs it.
    _group: Option<Group>,
    /// The zygote that it came of, which is there as long as this is.
    zygote: Arc<ZygoteClient>,
    home: Weak<Mutex<Vec<MonitorClient>>>,
    metrics: Arc<Metrics>,
}

/// Where monitors wait to be used again.
#[derive(Clone)]
pub struct MonitorPool {
    monitors: Arc<Mutex<Vec<MonitorClient>>>,
    cgroups: Option<Cgroups>,
    metrics: Arc<Metrics>,
}

/// Parts that the cgroups of workers are made of.
#[derive(Clone)]
pub struct Cgroups {
    pub subtree: Subtree,
    pub policy: Policy,
}

impl MonitorPool {
    pub fn new(cgroups: Option<Cgroups>, metrics: Arc<Metrics>) -> Self {
        Self { monitors: Arc::default(), cgroups, metrics }
    }

    /// Another one.
    pub fn sibling(&self) -> Self {
        Self::new(self.cgroups.clone(), Arc::clone(&self.metrics))
    }

    /// Has a monitor made that comes back here.
    pub async fn start_monitor(&self, zygote: &Arc<ZygoteClient>) -> Result<MonitorClient, MakeError> {
        let group = self.cgroups.as_ref().map(|cgroups| cgroups.subtree.group(&cgroups.policy));
        let group = group.transpose().map_err(MakeError::Cgroup)?;
        let (control, process) = zygote.monitor(group.as_ref()).await.map_err(MakeError::Fork)?;
        Ok(MonitorClient {
            control,
            process,
            _group: group,
            zygote: Arc::clone(zygote),
            home: Arc::downgrade(&self.monitors),
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// The one that came back last: what it uses is most likely still in the processor's caches. Those of other zygotes,
    /// which are gone, end.
    pub fn take(&self, zygote: &Arc<ZygoteClient>) -> Option<MonitorClient> {
        let mut monitors = self.monitors.lock().unwrap_or_else(PoisonError::into_inner);
        monitors.retain(|monitor| Arc::ptr_eq(&monitor.zygote, zygote));
        monitors.pop()
    }

    /// Ends those that nobody will ask again.
    pub fn clear_retired(&self) {
        self.monitors.lock().unwrap_or_else(PoisonError::into_inner).retain(|monitor| !monitor.zygote.is_retired());
    }

    /// Ends those that are here.
    pub fn clear(&self) {
        self.monitors.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl MonitorClient {
    /// Has a worker made that gets these descriptors, and waits until it is locked in.
    pub async fn make(self, descriptors: [BorrowedFd<'_>; 3]) -> Result<WorkerTree, MakeError> {
        channel::send(self.control.get_ref(), MAKE, &descriptors).map_err(MakeError::Monitor)?;
        let worker = match tokio::time::timeout(READY_LIMIT, self.report()).await {
            Ok(Ok(MonitorReport::Ready { worker })) => worker,
            // Each of these two is the last that a monitor says.
            Ok(Ok(MonitorReport::Failed(errors))) => return Err(MakeError::Sandbox(errors)),
            Ok(Err(error)) => return Err(MakeError::Monitor(error)),
            unusable => {
                self.zygote.end_monitor(self.process).await;
                return Err(unusable.map_or(MakeError::Slow, |report| MakeError::Unexpected(format!("{report:?}"))));
            }
        };
        let visible = Pid::from_raw(worker).filter(|_| !self.zygote.has_pid_namespace);
        self.metrics.worker_made(self.zygote.kind());
        Ok(WorkerTree(Some(ActiveWorker { monitor: self, visible, permit: None, subscriber: None })))
    }

    async fn report(&self) -> io::Result<MonitorReport> {
        let message = self.control.async_io(Interest::READABLE, |control| channel::receive(control)).await?;
        message.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?.parse()
    }

    fn return_to_pool(self) {
        // When the pool is gone there is no home, and the monitor ends. Nor is there one for those who are not asked again.
        if let Some(home) = self.home.upgrade().filter(|_| !self.zygote.is_retired()) {
            home.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        }
    }
}

/// A worker's monitor, and with that everything that comes of the worker. Ended when dropped.
pub struct WorkerTree(Option<ActiveWorker>);

struct ActiveWorker {
    monitor: MonitorClient,
    /// The worker, where the service sees it under the monitor's number: where there is no PID namespace.
    visible: Option<Pid>,
    /// Given back when everything is gone, also where nobody waits for that.
    permit: Option<RunPermit>,
    /// Who wants to know what was used, as soon as that is known.
    subscriber: Option<oneshot::Sender<Used>>,
}

impl WorkerTree {
    /// Keeps a place until everything is gone.
    pub fn attach_permit(&mut self, permit: RunPermit) {
        if let Some(active) = &mut self.0 {
            active.permit = Some(permit);
        }
    }

    /// Tells what was used when the worker is about to be ended, or has ended.
    pub fn usage(&mut self) -> oneshot::Receiver<Used> {
        let (subscriber, used) = oneshot::channel();
        if let Some(active) = &mut self.0 {
            active.subscriber = Some(subscriber);
        }
        used
    }

    /// Whether the monitor, and with it its worker, still waits for a job.
    pub fn is_alive(&self) -> bool {
        // A parked worker's monitor has nothing to say but that it has ended.
        let mut said = [PollFd::new(self.monitor().control.get_ref(), PollFlags::IN)];
        poll(&mut said, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }

    /// Whether another zygote has taken the place of the one that they come of.
    pub fn is_retired(&self) -> bool {
        self.monitor().zygote.is_retired()
    }

    /// Tells the monitor that the job has come.
    pub fn start_watching(&self) -> io::Result<()> {
        self.monitor().zygote.count_script();
        channel::send(self.monitor().control.get_ref(), START, &[])
    }

    /// The monitor's next report. Can be dropped at any time without losing one.
    pub async fn report(&self) -> io::Result<MonitorReport> {
        self.monitor().report().await
    }

    fn monitor(&self) -> &MonitorClient {
        &self.active().monitor
    }

    fn active(&self) -> &ActiveWorker {
        self.0.as_ref().expect("it is taken only by `gone` and `drop`")
    }

    /// Ends what is left of the worker, waits until that is done, and gives back its place. The monitor goes home.
    pub async fn terminate(mut self) -> (Option<Used>, Option<RunPermit>) {
        let mut used = None;
        if let Some(active) = &mut self.0 {
            used = active.end().await;
        }
        let permit = self.0.take().and_then(|active| active.part(used));
        (used, permit)
    }
}

impl Drop for WorkerTree {
    /// A monitor ends everything also when the service's end of its socket is closed.
    fn drop(&mut self) {
        let Some(mut active) = self.0.take() else { return };
        if active.permit.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let used = active.end().await;
                active.part(used)
            });
        }
    }
}

impl ActiveWorker {
    /// The monitor goes home, if nothing is left of its worker, which then has a known usage. Gives back the place.
    fn part(self, used: Option<Used>) -> Option<RunPermit> {
        if used.is_some() {
            self.monitor.return_to_pool();
        }
        self.permit
    }

    /// Has everything ended.
    async fn end(&mut self) -> Option<Used> {
        // If it ends by itself already, it passes over this.
        let _ = channel::send(self.monitor.control.get_ref(), END, &[]);
        self.kill();
        let limit = if self.monitor.zygote.has_pid_namespace { NAMESPACE_LIMIT } else { SWEEP_LIMIT };
        let ended = tokio::time::timeout(limit, self.last_report()).await;
        match ended.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(Ok(used)) => Some(used),
            Ok(Err(reason)) => self.failed(&reason).await,
            Err(error) => self.failed(&error.to_string()).await,
        }
    }

    /// Kills a worker that can be seen from here, without waiting for its monitor.
    fn kill(&self) {
        if let Some(worker) = self.visible {
            // Either may be gone already.
            let _ = kill_process_group(worker, Signal::KILL);
            let _ = kill_process(worker, Signal::KILL);
        }
    }

    /// What the monitor says when nothing is left, or why something may be.
    async fn last_report(&mut self) -> io::Result<Result<Used, String>> {
        loop {
            let report = self.monitor.report().await?;
            if let MonitorReport::Ending(used) | MonitorReport::Gone(used) = report
                && let Some(subscriber) = self.subscriber.take()
            {
                // Whoever does not want to know any more has gone away.
                let _ = subscriber.send(used);
            }
            match report {
                MonitorReport::Gone(used) => return Ok(Ok(used)),
                MonitorReport::Remains { reason } => return Ok(Err(reason)),
                _ => {}
            }
        }
    }

    /// A monitor that is an init process takes everything along when it ends, which is seen to. Elsewhere nothing vouches for
    /// what it guarded, so the service does not go on.
    async fn failed(&self, reason: &str) -> Option<Used> {
        if self.monitor.zygote.has_pid_namespace {
            warn!(reason, "a monitor has not finished, so it is ended");
            self.monitor.zygote.end_monitor(self.monitor.process).await;
            return None;
        }
        self.kill();
        error!(reason, "a script may have left something behind, so the service ends");
        std::process::exit(COMPROMISED)
    }
}

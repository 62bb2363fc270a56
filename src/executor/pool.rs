//! Workers made ahead. A job takes one that is already forked, locked in and rehearsed; the next one is made meanwhile.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::isolation;
use super::monitor_client::{Cgroups, MakeError, MonitorPool};
use super::trouble::{Attempt, Attempts};
use super::worker_client::WorkerClient;
use super::zygote_client::{StartError, ZygoteClient};
use super::zygote_supervisor::{Current, State, ZygotePair, ZygoteSet, ZygoteSpec, ZygoteSupervisor};
use crate::config::Config;
use crate::config::host::SPARE_WORKERS;
use crate::ipc::{Ready, Task};
use crate::job::Job;
use crate::sandbox::Mechanism;
use crate::sandbox::privileges::Installation;
use crate::sandbox::report::IsolationReport;
use crate::telemetry::metrics::{Metrics, Vitals, ZygoteKind};

/// The operation of which failures are told.
const MAKE: &str = "make a worker";

/// Reasons why a job gets no worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// None could be made in time.
    Late,
    /// The pool has stopped.
    Stopped,
}

/// The workers that wait, and those who see to them.
pub struct Pool {
    zygotes: ZygoteSet,
    /// What first zygotes have imported: all of them the same.
    loaded: BTreeSet<String>,
    slots: Slots,
    tasks: AsyncMutex<JoinSet<()>>,
}

/// How workers wait.
enum Slots {
    /// Workers of both zygotes.
    PerZygote { base: Arc<WarmPool>, preloaded: Arc<WarmPool> },
    /// A sealed script can still signal processes of its user: besides its own worker there is none, and one is made only
    /// while no script runs.
    Single(Arc<SingleSlot>),
}

impl Pool {
    /// Finds out what locks workers in on this host, starts a zygote, and makes a first worker.
    pub async fn start(
        config: &Config,
        installation: Installation,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, IsolationReport), StartError> {
        let (starting, posture) = isolation::find(config, &installation).await?;
        let cgroups = installation.cgroups.clone().ok();
        let spec = ZygoteSpec {
            installation,
            policy: posture.policy.clone(),
            preload: config.preload.clone(),
            renewal: config.renewal,
            metrics: Arc::clone(&metrics),
        };
        let (zygote, child) = starting.finish_start(&spec.policy, &spec.preload).await?;
        let base = Arc::new(zygote);
        let loaded = base.ready.loaded.clone();
        let subtree = cgroups.filter(|_| posture.policy.has(Mechanism::Cgroup));
        let home =
            MonitorPool::new(subtree.map(|subtree| Cgroups { subtree, policy: posture.policy.clone() }), metrics);
        let first = make(&home, &base).await.map_err(|error| StartError::Worker(error.to_string()))?;
        let (supervisor, zygotes) = ZygoteSupervisor::new(spec, Arc::clone(&base));
        let mut tasks = JoinSet::new();
        tasks.spawn(supervisor.keep(ZygotePair { base, child, preloaded: None }));

        let concurrency = posture.concurrency(config.concurrency);
        let slots = if posture.policy.has(Mechanism::Seal) {
            Slots::Single(Arc::new(SingleSlot::new(home, first)))
        } else {
            let room = concurrency + SPARE_WORKERS;
            let base = WarmPool::new(ZygoteKind::Base, home.clone(), room);
            let preloaded = WarmPool::new(ZygoteKind::Preloaded, home.sibling(), room);
            if let Ok(place) = base.room.try_acquire() {
                place.forget();
            }
            base.put(first);
            for (warm, zygote) in [(&base, &zygotes.base), (&preloaded, &zygotes.preloaded)] {
                for _ in 0..room {
                    tasks.spawn(Arc::clone(warm).fill(zygote.clone()));
                }
                tasks.spawn(Arc::clone(warm).tend(zygote.clone()));
            }
            Slots::PerZygote { base, preloaded }
        };
        Ok((Self { zygotes, loaded, slots, tasks: AsyncMutex::new(tasks) }, posture))
    }

    /// What the first zygote brings; `None` while there is none.
    pub fn ready(&self) -> Option<Ready> {
        self.zygotes.base.borrow().zygote().map(|zygote| zygote.ready.clone())
    }

    /// A worker that waits for its job.
    pub async fn take(&self, job: &Job, deadline: Instant) -> Result<WorkerClient, Shortage> {
        let worker = async {
            match (&self.slots, self.kind(job)) {
                (Slots::PerZygote { base, preloaded }, ZygoteKind::Base) => tokio::select! {
                    biased;
                    worker = base.take() => worker,
                    worker = async { base.attempts.trouble.begun().await; preloaded.take().await } => worker,
                },
                (Slots::PerZygote { base, preloaded }, ZygoteKind::Preloaded) => tokio::select! {
                    biased;
                    worker = preloaded.take() => worker,
                    worker = async { self.preloaded_fails(preloaded).await; base.take().await } => worker,
                },
                (Slots::Single(slot), kind) => {
                    let (slot, zygotes) = (Arc::clone(slot), self.zygotes.clone());
                    // Whoever does not wait for it any more does not leave one half made beside the next script.
                    let taking = tokio::spawn(async move { slot.take(kind, &zygotes, deadline).await });
                    taking.await.unwrap_or(Err(Shortage::Stopped))
                }
            }
        };
        timeout_at(deadline, worker).await.unwrap_or(Err(Shortage::Late))
    }

    /// Waits as long as the zygote that a job wants imports its modules. This is no failure, and takes long on a slow host.
    pub async fn imported(&self, job: &Job) {
        if self.kind(job) == ZygoteKind::Preloaded {
            let ZygoteSet { mut base, mut preloaded, .. } = self.zygotes.clone();
            tokio::select! {
                _ = preloaded.wait_for(|state| !matches!(state, State::Coming)) => {}
                _ = base.wait_for(|state| state.zygote().is_none()) => {}
            }
        }
    }

    /// Waits until the preloaded zygote, or a worker of it, cannot be had.
    async fn preloaded_fails(&self, preloaded: &WarmPool) {
        let (mut state, trouble) = (self.zygotes.preloaded.clone(), &preloaded.attempts.trouble);
        loop {
            tokio::select! {
                _ = state.wait_for(|state| matches!(state, State::Failed)) => return,
                () = trouble.begun() => {}
            }
            // The failure of one that is lost says nothing about the next one.
            let _ = state.wait_for(|state| !matches!(state, State::Coming)).await;
            if trouble.is_there() {
                return;
            }
        }
    }

    /// Explains why no script can be run; `None` if one can.
    pub fn trouble(&self) -> Option<String> {
        if self.zygotes.base.borrow().zygote().is_none() {
            return Some(self.zygotes.starts.cause().unwrap_or_else(|| "a zygote is being started".to_owned()));
        }
        match &self.slots {
            Slots::PerZygote { base, preloaded } => {
                let trouble = base.trouble()?;
                // A worker of the preloaded zygote does for every job.
                let is_helped = self.zygotes.preloaded.borrow().zygote().is_some() && preloaded.trouble().is_none();
                (!is_helped).then_some(trouble)
            }
            Slots::Single(slot) => slot.attempts.trouble.cause(),
        }
    }

    /// Tries again what failed, where only jobs do that otherwise.
    pub async fn retry(&self) {
        if let Slots::Single(slot) = &self.slots {
            let (slot, zygotes) = (Arc::clone(slot), self.zygotes.clone());
            // As for a job.
            let _ = tokio::spawn(async move { slot.retry(&zygotes).await }).await;
        }
    }

    /// To be called when a script is over and nothing of it is left, while no other one may begin.
    pub async fn refill(&self) {
        if let Slots::Single(slot) = &self.slots {
            slot.refill(&self.zygotes).await;
        }
    }

    /// Which zygote a job's worker is to come of: the first one, unless the job names a module that this one does not have.
    /// This decides how fast it is, never what it may do.
    fn kind(&self, job: &Job) -> ZygoteKind {
        if job.task() == Task::Check {
            return ZygoteKind::Base;
        }
        let top_level = |name: &str| name.split('.').next().map(str::to_owned).unwrap_or_default();
        let has_all = job.imports().lines().all(|name| self.loaded.contains(&top_level(name)));
        if has_all { ZygoteKind::Base } else { ZygoteKind::Preloaded }
    }

    /// How many workers wait, and how large the zygotes are.
    pub fn vitals(&self) -> Vitals {
        let parked = match &self.slots {
            Slots::PerZygote { base, preloaded } => [base.parked(), preloaded.parked()],
            Slots::Single(slot) => slot.parked(),
        };
        let bytes = |current: &Current| current.borrow().zygote().map_or(0, |zygote| zygote.memory());
        Vitals {
            parked,
            zygote_bytes: [bytes(&self.zygotes.base), bytes(&self.zygotes.preloaded)],
            ..Vitals::default()
        }
    }

    /// Ends all workers and zygotes.
    pub async fn stop(&self) {
        self.tasks.lock().await.shutdown().await;
        match &self.slots {
            Slots::PerZygote { base, preloaded } => {
                base.close();
                preloaded.close();
            }
            Slots::Single(slot) => slot.close().await,
        }
    }
}

/// Workers that are all alike.
struct WarmPool {
    parked: Mutex<Vec<WorkerClient>>,
    /// A permit for each parked worker that nobody has claimed yet.
    unclaimed: Semaphore,
    /// A permit for each worker that there is room for.
    room: Semaphore,
    monitors: MonitorPool,
    attempts: Attempts,
}

impl WarmPool {
    fn new(kind: ZygoteKind, monitors: MonitorPool, room: usize) -> Arc<Self> {
        let (unclaimed, room) = (Semaphore::new(0), Semaphore::new(room));
        Arc::new(Self { parked: Mutex::default(), unclaimed, room, monitors, attempts: Attempts::new(MAKE, kind) })
    }

    /// Explains why there is no worker; `None` if one waits or may be made.
    fn trouble(&self) -> Option<String> {
        self.attempts.trouble.cause().filter(|_| self.parked() == 0)
    }

    fn parked(&self) -> usize {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn put(&self, worker: WorkerClient) {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        self.unclaimed.add_permits(1);
    }

    /// The worker that was made last: what it uses is most likely still in the processor's caches.
    async fn take(&self) -> Result<WorkerClient, Shortage> {
        let _waiting = self.attempts.wait();
        loop {
            self.unclaimed.acquire().await.map_err(|_| Shortage::Stopped)?.forget();
            let worker = self.parked.lock().unwrap_or_else(PoisonError::into_inner).pop().ok_or(Shortage::Stopped)?;
            self.room.add_permits(1);
            if worker.is_alive() {
                return Ok(worker);
            }
            warn!("a parked worker has died");
        }
    }

    /// Makes workers as long as there is room to park them.
    async fn fill(self: Arc<Self>, mut zygote: Current) {
        while let Ok(place) = self.room.acquire().await {
            place.forget();
            let Some(worker) = self.make(&mut zygote).await else { return };
            self.put(worker);
        }
    }

    /// Makes a worker, however often that takes; `None` when there will never be a zygote again.
    async fn make(&self, current: &mut Current) -> Option<WorkerClient> {
        loop {
            let attempt = self.attempts.next().await;
            let zygote = Arc::clone(current.wait_for(|state| state.zygote().is_some()).await.ok()?.zygote()?);
            match attempted(attempt, make(&self.monitors, &zygote).await) {
                Some(worker) if zygote.is_retired() => worker.end().await,
                Some(worker) => return Some(worker),
                None => {}
            }
        }
    }

    /// Sees to it that those who wait are of use: ends what came of a zygote whose place another has taken, and dead workers.
    /// One after the other: meanwhile others take their places.
    async fn tend(self: Arc<Self>, mut current: Current) {
        const LOOK: Duration = Duration::from_secs(1);
        const PAUSE: Duration = Duration::from_millis(20);
        loop {
            match tokio::time::timeout(LOOK, current.changed()).await {
                Ok(Err(_)) => return,
                // What failed was the zygote that is gone.
                Ok(Ok(())) => self.attempts.trouble.forget(),
                Err(_) => {}
            }
            self.monitors.clear_retired();
            while let Some(worker) = self.take_useless() {
                worker.end().await;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// A worker that waits and is dead, or of a zygote that is retired.
    fn take_useless(&self) -> Option<WorkerClient> {
        // A worker that nobody has claimed stays parked as long as this is held.
        let unclaimed = self.unclaimed.try_acquire().ok()?;
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let at = parked.iter().position(|worker| worker.is_retired() || !worker.is_alive())?;
        unclaimed.forget();
        self.room.add_permits(1);
        Some(parked.remove(at))
    }

    fn close(&self) {
        self.unclaimed.close();
        self.room.close();
        self.parked.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.monitors.clear();
    }
}

/// The only worker there is.
struct SingleSlot {
    base: MonitorPool,
    preloaded: MonitorPool,
    /// Held while one is made.
    parked: AsyncMutex<Option<(ZygoteKind, WorkerClient)>>,
    attempts: Attempts,
}

impl SingleSlot {
    fn new(base: MonitorPool, first: WorkerClient) -> Self {
        let parked = AsyncMutex::new(Some((ZygoteKind::Base, first)));
        Self { preloaded: base.sibling(), base, parked, attempts: Attempts::new(MAKE, ZygoteKind::Base) }
    }

    /// None while one is being made.
    fn parked(&self) -> [usize; 2] {
        let kind = self.parked.try_lock().ok().and_then(|parked| parked.as_ref().map(|(kind, _)| *kind));
        [ZygoteKind::Base, ZygoteKind::Preloaded].map(|of| usize::from(kind == Some(of)))
    }

    /// A preloaded worker does for every job.
    async fn take(&self, kind: ZygoteKind, zygotes: &ZygoteSet, deadline: Instant) -> Result<WorkerClient, Shortage> {
        let _waiting = self.attempts.wait();
        let mut parked = timeout_at(deadline, self.parked.lock()).await.map_err(|_| Shortage::Late)?;
        let worker = self.find(&mut parked, kind, zygotes, deadline).await;
        // While a script runs, the only monitor is its worker's.
        self.base.clear();
        self.preloaded.clear();
        worker
    }

    async fn find(
        &self,
        parked: &mut Option<(ZygoteKind, WorkerClient)>,
        kind: ZygoteKind,
        zygotes: &ZygoteSet,
        deadline: Instant,
    ) -> Result<WorkerClient, Shortage> {
        if let Some((found, worker)) = parked.take() {
            let suits = found == ZygoteKind::Preloaded
                || kind == ZygoteKind::Base
                || matches!(*zygotes.preloaded.borrow(), State::Failed);
            if suits && worker.is_alive() {
                return Ok(worker);
            }
            worker.end().await;
        }
        loop {
            // What is begun is not broken off: one half made must not be there beside the next script.
            let begin = async { (self.attempts.next().await, Self::parent(kind, zygotes).await) };
            let (attempt, parent) = timeout_at(deadline, begin).await.map_err(|_| Shortage::Late)?;
            let (kind, zygote) = parent.ok_or(Shortage::Stopped)?;
            match attempted(attempt, make(self.monitors(kind), &zygote).await) {
                Some(worker) if Instant::now() < deadline => return Ok(worker),
                // The job may have been answered already.
                Some(worker) => *parked = Some((kind, worker)),
                None => {}
            }
            if parked.is_some() {
                return Err(Shortage::Late);
            }
        }
    }

    /// To be called while no script runs. If it fails, the next job tries again, or whoever asks how the service is.
    async fn refill(&self, zygotes: &ZygoteSet) {
        let mut parked = self.parked.lock().await;
        if parked.is_none() {
            self.park(&mut parked, self.attempts.next().await, zygotes).await;
        }
    }

    /// Tries again what has failed, if it is time. No script runs then: its worker would have been the last attempt, and none
    /// that failed.
    async fn retry(&self, zygotes: &ZygoteSet) {
        let Ok(mut parked) = self.parked.try_lock() else { return };
        if let Some(attempt) = self.attempts.next_due() {
            self.park(&mut parked, attempt, zygotes).await;
        }
    }

    async fn park(&self, parked: &mut Option<(ZygoteKind, WorkerClient)>, attempt: Attempt<'_>, zygotes: &ZygoteSet) {
        let preloaded = zygotes.preloaded.borrow().zygote().cloned().map(|zygote| (ZygoteKind::Preloaded, zygote));
        let base = || zygotes.base.borrow().zygote().cloned().map(|zygote| (ZygoteKind::Base, zygote));
        let Some((kind, zygote)) = preloaded.or_else(base) else { return };
        *parked = attempted(attempt, make(self.monitors(kind), &zygote).await).map(|worker| (kind, worker));
    }

    /// A zygote for a job of this kind; `None` when there will never be one again.
    async fn parent(kind: ZygoteKind, zygotes: &ZygoteSet) -> Option<(ZygoteKind, Arc<ZygoteClient>)> {
        if kind == ZygoteKind::Preloaded {
            let mut preloaded = zygotes.preloaded.clone();
            let known = preloaded.wait_for(|state| !matches!(state, State::Coming)).await.ok()?;
            if let State::Up(zygote) = &*known {
                return Some((ZygoteKind::Preloaded, Arc::clone(zygote)));
            }
        }
        let mut base = zygotes.base.clone();
        let zygote = Arc::clone(base.wait_for(|state| state.zygote().is_some()).await.ok()?.zygote()?);
        Some((ZygoteKind::Base, zygote))
    }

    fn monitors(&self, kind: ZygoteKind) -> &MonitorPool {
        match kind {
            ZygoteKind::Base => &self.base,
            ZygoteKind::Preloaded => &self.preloaded,
        }
    }

    async fn close(&self) {
        self.parked.lock().await.take();
        self.base.clear();
        self.preloaded.clear();
    }
}

/// Notes the result of an attempt, and gives its worker.
fn attempted(attempt: Attempt<'_>, made: Result<WorkerClient, MakeError>) -> Option<WorkerClient> {
    match made {
        Ok(worker) => {
            attempt.succeeded();
            Some(worker)
        }
        Err(error) => {
            attempt.failed(&error);
            None
        }
    }
}

/// Makes a worker, by a monitor that waits, or else by a new one.
async fn make(monitors: &MonitorPool, zygote: &Arc<ZygoteClient>) -> Result<WorkerClient, MakeError> {
    while let Some(monitor) = monitors.take(zygote) {
        match WorkerClient::make(monitor).await {
            Ok(worker) => return Ok(worker),
            // It may have died long ago, with the zygote of which it was.
            Err(error) => debug!(%error, "a monitor is of no more use"),
        }
    }
    WorkerClient::make(monitors.start_monitor(zygote).await?).await
}

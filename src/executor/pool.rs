//! Workers made ahead. A job takes one that is already forked, locked in and rehearsed; the next one is made meanwhile.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::family::{Current, Family, Generation, Nursery, Parents, State};
use super::guard::{Cgroups, Home, MakeError};
use super::posture;
use super::trouble::{Attempt, Attempts};
use super::worker::Worker;
use super::zygote::{StartError, Zygote};
use crate::config::Config;
use crate::config::host::SPARE_WORKERS;
use crate::job::Job;
use crate::protocol::{Ready, Task};
use crate::sandbox::Mechanism;
use crate::sandbox::posture::Posture;
use crate::sandbox::privileges::Installation;
use crate::telemetry::metrics::{Metrics, Vitals, Zygote as Kind};

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
    family: Family,
    /// What first zygotes have imported: all of them the same.
    loaded: BTreeSet<String>,
    parked: Parked,
    tasks: AsyncMutex<JoinSet<()>>,
}

/// How workers wait.
enum Parked {
    /// Workers of both zygotes.
    Apart { base: Arc<Shelf>, preloaded: Arc<Shelf> },
    /// A sealed script can still signal processes of its user: besides its own worker there is none, and one is made only
    /// while no script runs.
    Alone(Arc<Lone>),
}

impl Pool {
    /// Finds out what locks workers in on this host, starts a zygote, and makes a first worker.
    pub async fn start(
        config: &Config,
        installation: Installation,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Posture), StartError> {
        let (embryo, posture) = posture::find(config, &installation).await?;
        let cgroups = installation.cgroups.clone().ok();
        let nursery = Nursery {
            installation,
            policy: posture.policy.clone(),
            preload: config.preload.clone(),
            renewal: config.renewal,
            metrics: Arc::clone(&metrics),
        };
        let (zygote, child) = embryo.grow_up(&nursery.policy, &nursery.preload).await?;
        let base = Arc::new(zygote);
        let loaded = base.ready.loaded.clone();
        let subtree = cgroups.filter(|_| posture.policy.has(Mechanism::Cgroup));
        let home = Home::new(subtree.map(|subtree| Cgroups { subtree, policy: posture.policy.clone() }), metrics);
        let first = make(&home, &base).await.map_err(|error| StartError::Worker(error.to_string()))?;
        let (parents, family) = Parents::new(nursery, Arc::clone(&base));
        let mut tasks = JoinSet::new();
        tasks.spawn(parents.keep(Generation { base, child, preloaded: None }));

        let concurrency = posture.concurrency(config.concurrency);
        let parked = if posture.policy.has(Mechanism::Seal) {
            Parked::Alone(Arc::new(Lone::new(home, first)))
        } else {
            let room = concurrency + SPARE_WORKERS;
            let base = Shelf::new(Kind::Base, home.clone(), room);
            let preloaded = Shelf::new(Kind::Preloaded, home.like(), room);
            if let Ok(place) = base.room.try_acquire() {
                place.forget();
            }
            base.put(first);
            for (shelf, zygote) in [(&base, &family.base), (&preloaded, &family.preloaded)] {
                for _ in 0..room {
                    tasks.spawn(Arc::clone(shelf).fill(zygote.clone()));
                }
                tasks.spawn(Arc::clone(shelf).tend(zygote.clone()));
            }
            Parked::Apart { base, preloaded }
        };
        Ok((Self { family, loaded, parked, tasks: AsyncMutex::new(tasks) }, posture))
    }

    /// What the first zygote brings; `None` while there is none.
    pub fn ready(&self) -> Option<Ready> {
        self.family.base.borrow().zygote().map(|zygote| zygote.ready.clone())
    }

    /// A worker that waits for its job.
    pub async fn take(&self, job: &Job, deadline: Instant) -> Result<Worker, Shortage> {
        let worker = async {
            match (&self.parked, self.kind(job)) {
                (Parked::Apart { base, preloaded }, Kind::Base) => tokio::select! {
                    biased;
                    worker = base.take() => worker,
                    worker = async { base.attempts.trouble.begun().await; preloaded.take().await } => worker,
                },
                (Parked::Apart { base, preloaded }, Kind::Preloaded) => tokio::select! {
                    biased;
                    worker = preloaded.take() => worker,
                    worker = async { self.preloaded_fails(preloaded).await; base.take().await } => worker,
                },
                (Parked::Alone(lone), kind) => {
                    let (lone, family) = (Arc::clone(lone), self.family.clone());
                    // Whoever does not wait for it any more does not leave one half made beside the next script.
                    let taking = tokio::spawn(async move { lone.take(kind, &family, deadline).await });
                    taking.await.unwrap_or(Err(Shortage::Stopped))
                }
            }
        };
        timeout_at(deadline, worker).await.unwrap_or(Err(Shortage::Late))
    }

    /// Waits as long as the zygote that a job wants imports its modules. This is no failure, and takes long on a slow host.
    pub async fn imported(&self, job: &Job) {
        if self.kind(job) == Kind::Preloaded {
            let Family { mut base, mut preloaded, .. } = self.family.clone();
            tokio::select! {
                _ = preloaded.wait_for(|state| !matches!(state, State::Coming)) => {}
                _ = base.wait_for(|state| state.zygote().is_none()) => {}
            }
        }
    }

    /// Waits until the preloaded zygote, or a worker of it, cannot be had.
    async fn preloaded_fails(&self, preloaded: &Shelf) {
        let (mut state, trouble) = (self.family.preloaded.clone(), &preloaded.attempts.trouble);
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
        if self.family.base.borrow().zygote().is_none() {
            return Some(self.family.starts.cause().unwrap_or_else(|| "a zygote is being started".to_owned()));
        }
        match &self.parked {
            Parked::Apart { base, preloaded } => {
                let trouble = base.trouble()?;
                // A worker of the preloaded zygote does for every job.
                let is_helped = self.family.preloaded.borrow().zygote().is_some() && preloaded.trouble().is_none();
                (!is_helped).then_some(trouble)
            }
            Parked::Alone(lone) => lone.attempts.trouble.cause(),
        }
    }

    /// Tries again what failed, where only jobs do that otherwise.
    pub async fn retry(&self) {
        if let Parked::Alone(lone) = &self.parked {
            let (lone, family) = (Arc::clone(lone), self.family.clone());
            // As for a job.
            let _ = tokio::spawn(async move { lone.retry(&family).await }).await;
        }
    }

    /// To be called when a script is over and nothing of it is left, while no other one may begin.
    pub async fn refill(&self) {
        if let Parked::Alone(lone) = &self.parked {
            lone.refill(&self.family).await;
        }
    }

    /// Which zygote a job's worker is to come of: the first one, unless the job names a module that this one does not have.
    /// This decides how fast it is, never what it may do.
    fn kind(&self, job: &Job) -> Kind {
        if job.task() == Task::Check {
            return Kind::Base;
        }
        let top_level = |name: &str| name.split('.').next().map(str::to_owned).unwrap_or_default();
        let has_all = job.imports().lines().all(|name| self.loaded.contains(&top_level(name)));
        if has_all { Kind::Base } else { Kind::Preloaded }
    }

    /// How many workers wait, and how large the zygotes are.
    pub fn vitals(&self) -> Vitals {
        let parked = match &self.parked {
            Parked::Apart { base, preloaded } => [base.parked(), preloaded.parked()],
            Parked::Alone(lone) => lone.parked(),
        };
        let bytes = |current: &Current| current.borrow().zygote().map_or(0, |zygote| zygote.memory());
        Vitals { parked, zygote_bytes: [bytes(&self.family.base), bytes(&self.family.preloaded)], ..Vitals::default() }
    }

    /// Ends all workers and zygotes.
    pub async fn stop(&self) {
        self.tasks.lock().await.shutdown().await;
        match &self.parked {
            Parked::Apart { base, preloaded } => {
                base.close();
                preloaded.close();
            }
            Parked::Alone(lone) => lone.close().await,
        }
    }
}

/// Workers that are all alike.
struct Shelf {
    parked: Mutex<Vec<Worker>>,
    /// A permit for each parked worker that nobody has claimed yet.
    unclaimed: Semaphore,
    /// A permit for each worker that there is room for.
    room: Semaphore,
    guards: Home,
    attempts: Attempts,
}

impl Shelf {
    fn new(kind: Kind, guards: Home, room: usize) -> Arc<Self> {
        let (unclaimed, room) = (Semaphore::new(0), Semaphore::new(room));
        Arc::new(Self { parked: Mutex::default(), unclaimed, room, guards, attempts: Attempts::new(MAKE, kind) })
    }

    /// Explains why there is no worker; `None` if one waits or may be made.
    fn trouble(&self) -> Option<String> {
        self.attempts.trouble.cause().filter(|_| self.parked() == 0)
    }

    fn parked(&self) -> usize {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn put(&self, worker: Worker) {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        self.unclaimed.add_permits(1);
    }

    /// The worker that was made last: what it uses is most likely still in the processor's caches.
    async fn take(&self) -> Result<Worker, Shortage> {
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
    async fn make(&self, current: &mut Current) -> Option<Worker> {
        loop {
            let attempt = self.attempts.next().await;
            let zygote = Arc::clone(current.wait_for(|state| state.zygote().is_some()).await.ok()?.zygote()?);
            match attempted(attempt, make(&self.guards, &zygote).await) {
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
            self.guards.clear_retired();
            while let Some(worker) = self.take_useless() {
                worker.end().await;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// A worker that waits and is dead, or of a zygote that is retired.
    fn take_useless(&self) -> Option<Worker> {
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
        self.guards.clear();
    }
}

/// The only worker there is.
struct Lone {
    base: Home,
    preloaded: Home,
    /// Held while one is made.
    parked: AsyncMutex<Option<(Kind, Worker)>>,
    attempts: Attempts,
}

impl Lone {
    fn new(base: Home, first: Worker) -> Self {
        let parked = AsyncMutex::new(Some((Kind::Base, first)));
        Self { preloaded: base.like(), base, parked, attempts: Attempts::new(MAKE, Kind::Base) }
    }

    /// None while one is being made.
    fn parked(&self) -> [usize; 2] {
        let kind = self.parked.try_lock().ok().and_then(|parked| parked.as_ref().map(|(kind, _)| *kind));
        [Kind::Base, Kind::Preloaded].map(|of| usize::from(kind == Some(of)))
    }

    /// A preloaded worker does for every job.
    async fn take(&self, kind: Kind, family: &Family, deadline: Instant) -> Result<Worker, Shortage> {
        let _waiting = self.attempts.wait();
        let mut parked = timeout_at(deadline, self.parked.lock()).await.map_err(|_| Shortage::Late)?;
        let worker = self.find(&mut parked, kind, family, deadline).await;
        // While a script runs, the only guard is its worker's.
        self.base.clear();
        self.preloaded.clear();
        worker
    }

    async fn find(
        &self,
        parked: &mut Option<(Kind, Worker)>,
        kind: Kind,
        family: &Family,
        deadline: Instant,
    ) -> Result<Worker, Shortage> {
        if let Some((found, worker)) = parked.take() {
            let suits =
                found == Kind::Preloaded || kind == Kind::Base || matches!(*family.preloaded.borrow(), State::Failed);
            if suits && worker.is_alive() {
                return Ok(worker);
            }
            worker.end().await;
        }
        loop {
            // What is begun is not broken off: one half made must not be there beside the next script.
            let begin = async { (self.attempts.next().await, Self::parent(kind, family).await) };
            let (attempt, parent) = timeout_at(deadline, begin).await.map_err(|_| Shortage::Late)?;
            let (kind, zygote) = parent.ok_or(Shortage::Stopped)?;
            match attempted(attempt, make(self.guards(kind), &zygote).await) {
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
    async fn refill(&self, family: &Family) {
        let mut parked = self.parked.lock().await;
        if parked.is_none() {
            self.park(&mut parked, self.attempts.next().await, family).await;
        }
    }

    /// Tries again what has failed, if it is time. No script runs then: its worker would have been the last attempt, and none
    /// that failed.
    async fn retry(&self, family: &Family) {
        let Ok(mut parked) = self.parked.try_lock() else { return };
        if let Some(attempt) = self.attempts.next_due() {
            self.park(&mut parked, attempt, family).await;
        }
    }

    async fn park(&self, parked: &mut Option<(Kind, Worker)>, attempt: Attempt<'_>, family: &Family) {
        let preloaded = family.preloaded.borrow().zygote().cloned().map(|zygote| (Kind::Preloaded, zygote));
        let base = || family.base.borrow().zygote().cloned().map(|zygote| (Kind::Base, zygote));
        let Some((kind, zygote)) = preloaded.or_else(base) else { return };
        *parked = attempted(attempt, make(self.guards(kind), &zygote).await).map(|worker| (kind, worker));
    }

    /// A zygote for a job of this kind; `None` when there will never be one again.
    async fn parent(kind: Kind, family: &Family) -> Option<(Kind, Arc<Zygote>)> {
        if kind == Kind::Preloaded {
            let mut preloaded = family.preloaded.clone();
            let known = preloaded.wait_for(|state| !matches!(state, State::Coming)).await.ok()?;
            if let State::Up(zygote) = &*known {
                return Some((Kind::Preloaded, Arc::clone(zygote)));
            }
        }
        let mut base = family.base.clone();
        let zygote = Arc::clone(base.wait_for(|state| state.zygote().is_some()).await.ok()?.zygote()?);
        Some((Kind::Base, zygote))
    }

    fn guards(&self, kind: Kind) -> &Home {
        match kind {
            Kind::Base => &self.base,
            Kind::Preloaded => &self.preloaded,
        }
    }

    async fn close(&self) {
        self.parked.lock().await.take();
        self.base.clear();
        self.preloaded.clear();
    }
}

/// Notes the result of an attempt, and gives its worker.
fn attempted(attempt: Attempt<'_>, made: Result<Worker, MakeError>) -> Option<Worker> {
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

/// Makes a worker, by a guard that waits, or else by a new one.
async fn make(guards: &Home, zygote: &Arc<Zygote>) -> Result<Worker, MakeError> {
    while let Some(guard) = guards.take(zygote) {
        match Worker::make(guard).await {
            Ok(worker) => return Ok(worker),
            // It may have died long ago, with the zygote of which it was.
            Err(error) => debug!(%error, "a guard is of no more use"),
        }
    }
    Worker::make(guards.found(zygote).await?).await
}

//! Workers made ahead. A job takes one that is already forked and locked in; the next one is made meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::{Mutex, OwnedRwLockReadGuard, RwLock, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::posture;
use super::worker::Worker;
use super::zygote::{StartError, Zygote};
use crate::config::Config;
use crate::sandbox::posture::Posture;
use crate::sandbox::privileges::Installation;
use crate::sandbox::{Mechanism, Policy};

/// Between two attempts of something that failed: long enough not to take a processor, short enough to recover at once.
const RETRY: Duration = Duration::from_millis(100);

/// A zygote that dies younger than this is not replaced at once.
const INFANT: Duration = Duration::from_secs(1);

/// The longest pause before a zygote is replaced.
const MAX_BACK_OFF: Duration = Duration::from_secs(1);

type Current = watch::Receiver<Option<Arc<Zygote>>>;

/// The parked workers and those who see to them.
pub struct Pool {
    parked: Mutex<mpsc::Receiver<Worker>>,
    /// A permit for each parked worker that nobody has claimed yet.
    unclaimed: Arc<Semaphore>,
    current: Current,
    tasks: Mutex<JoinSet<()>>,
    /// Shared by the scripts that run; held alone to make a worker that no script may see in the making.
    quiet: Arc<RwLock<()>>,
}

/// What zygotes are started with.
struct Nursery {
    installation: Installation,
    policy: Policy,
    preload: Vec<String>,
}

impl Pool {
    /// Finds out what locks workers in on this host, starts a zygote, and makes a first worker.
    pub async fn start(config: &Config, installation: Installation) -> Result<(Self, Posture), StartError> {
        let (embryo, posture) = posture::find(config, &installation).await?;
        let nursery = Nursery { installation, policy: posture.policy.clone(), preload: config.preload.clone() };
        let (zygote, child) = embryo.grow_up(&nursery.policy, &nursery.preload).await?;
        let zygote = Arc::new(zygote);
        let first = Worker::make(&zygote).await.map_err(|error| StartError::Worker(error.to_string()))?;

        let concurrency = posture.concurrency(config.concurrency);
        let (parking, parked) = mpsc::channel(concurrency);
        let unclaimed = Arc::new(Semaphore::new(0));
        let (publish, current) = watch::channel(Some(Arc::clone(&zygote)));
        let quiet = Arc::new(RwLock::new(()));
        // A sealed script can still signal processes of its user: none is there but those that must be.
        let alone = posture.policy.has(Mechanism::Seal).then(|| Arc::clone(&quiet));
        let mut tasks = JoinSet::new();
        tasks.spawn(supervise(nursery, zygote, child, publish));
        for first in std::iter::once(Some(first)).chain((1..concurrency).map(|_| None)) {
            tasks.spawn(fill(parking.clone(), Arc::clone(&unclaimed), current.clone(), first, alone.clone()));
        }
        Ok((Self { parked: Mutex::new(parked), unclaimed, current, tasks: Mutex::new(tasks), quiet }, posture))
    }

    /// Python's version; `None` while there is no zygote.
    pub fn python(&self) -> Option<String> {
        self.current.borrow().as_ref().map(|zygote| zygote.python.clone())
    }

    /// A worker that waits for its job, and what is to be held while it runs; `None` when the pool has stopped.
    pub async fn take(&self) -> Option<(Worker, OwnedRwLockReadGuard<()>)> {
        loop {
            self.unclaimed.acquire().await.ok()?.forget();
            // Held before the worker's place becomes free, so that none is made in it before the script is over.
            let script_runs = Arc::clone(&self.quiet).read_owned().await;
            let worker = self.parked.lock().await.try_recv().ok()?;
            if worker.is_alive() {
                return Some((worker, script_runs));
            }
            warn!("a parked worker has died");
        }
    }

    /// Ends all workers and zygotes.
    pub async fn stop(&self) {
        self.tasks.lock().await.shutdown().await;
        self.unclaimed.close();
        let mut parked = self.parked.lock().await;
        parked.close();
        while parked.try_recv().is_ok() {}
    }
}

/// Keeps a zygote alive: replaces it when it dies or is condemned.
async fn supervise(nursery: Nursery, zygote: Arc<Zygote>, child: Child, publish: watch::Sender<Option<Arc<Zygote>>>) {
    let (mut zygote, mut child) = (zygote, child);
    let mut back_off = Duration::ZERO;
    loop {
        let born = Instant::now();
        tokio::select! {
            _ = child.wait() => warn!("a zygote has died; starting another"),
            () = zygote.condemned() => warn!("a zygote does not work any more; starting another"),
        }
        publish.send_replace(None);
        if let Err(error) = child.kill().await {
            error!(%error, "cannot end a zygote");
        }
        back_off = if born.elapsed() < INFANT { (back_off * 2).clamp(RETRY, MAX_BACK_OFF) } else { Duration::ZERO };
        (zygote, child) = loop {
            tokio::time::sleep(back_off).await;
            match Zygote::start(&nursery.installation, &nursery.policy, &nursery.preload).await {
                Ok((zygote, child)) => break (Arc::new(zygote), child),
                Err(error) => {
                    error!(%error, "a zygote did not start");
                    back_off = (back_off * 2).clamp(RETRY, MAX_BACK_OFF);
                }
            }
        };
        info!("a new zygote is up");
        publish.send_replace(Some(Arc::clone(&zygote)));
    }
}

/// Makes workers as long as there is room to park them; with `alone`, only while no script runs.
async fn fill(
    parking: mpsc::Sender<Worker>,
    unclaimed: Arc<Semaphore>,
    mut current: Current,
    mut first: Option<Worker>,
    alone: Option<Arc<RwLock<()>>>,
) {
    while let Ok(place) = parking.reserve().await {
        let _quiet = match &alone {
            Some(quiet) => Some(quiet.write().await),
            None => None,
        };
        let worker = match first.take() {
            Some(worker) => worker,
            None => match make(&mut current).await {
                Some(worker) => worker,
                None => return,
            },
        };
        place.send(worker);
        unclaimed.add_permits(1);
    }
}

/// Makes a worker, however often that takes; `None` when there will never be a zygote again.
async fn make(current: &mut Current) -> Option<Worker> {
    loop {
        let zygote = Arc::clone(current.wait_for(Option::is_some).await.ok()?.as_ref()?);
        match Worker::make(&zygote).await {
            Ok(worker) => return Some(worker),
            Err(error) => warn!(%error, "cannot make a worker"),
        }
        drop(zygote);
        tokio::time::sleep(RETRY).await;
    }
}

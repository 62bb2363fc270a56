//! The zygotes: one that is up as soon as Python is, and one of it with modules preloaded. They are replaced when they die.

use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::zygote::Zygote;
use crate::sandbox::Policy;
use crate::sandbox::privileges::Installation;

/// Between two attempts of something that failed: long enough not to take a processor, short enough to recover at once.
pub const RETRY: Duration = Duration::from_millis(100);

/// A zygote that dies younger than this is not replaced at once.
const INFANT: Duration = Duration::from_secs(1);

/// The longest pause before a zygote is replaced.
const MAX_BACK_OFF: Duration = Duration::from_secs(1);

/// What there is of a zygote.
#[derive(Clone)]
pub enum State {
    /// It is being started.
    Coming,
    Up(Arc<Zygote>),
    /// It cannot be had. It is tried again, but is not to be waited for.
    Failed,
}

impl State {
    pub fn zygote(&self) -> Option<&Arc<Zygote>> {
        match self {
            Self::Up(zygote) => Some(zygote),
            Self::Coming | Self::Failed => None,
        }
    }
}

pub type Current = watch::Receiver<State>;

/// Both zygotes, as others see them.
#[derive(Clone)]
pub struct Family {
    pub base: Current,
    pub preloaded: Current,
}

/// What zygotes are started with.
pub struct Nursery {
    pub installation: Installation,
    pub policy: Policy,
    pub preload: Vec<String>,
}

/// Keeps the zygotes alive.
pub struct Parents {
    nursery: Nursery,
    base: watch::Sender<State>,
    preloaded: watch::Sender<State>,
}

impl Parents {
    /// `zygote` is up.
    pub fn new(nursery: Nursery, zygote: Arc<Zygote>) -> (Self, Family) {
        let (base, base_seen) = watch::channel(State::Up(zygote));
        let (preloaded, preloaded_seen) = watch::channel(State::Coming);
        (Self { nursery, base, preloaded }, Family { base: base_seen, preloaded: preloaded_seen })
    }

    /// Replaces what dies or is condemned. `child` is the first zygote's process.
    pub async fn keep(self, mut zygote: Arc<Zygote>, mut child: Child) {
        let mut back_off = BackOff::default();
        loop {
            let born = Instant::now();
            tokio::select! {
                _ = child.wait() => warn!("a zygote has died; starting another"),
                () = zygote.condemned() => warn!("a zygote does not work any more; starting another"),
                () = self.keep_preloaded(&zygote) => {}
            }
            self.base.send_replace(State::Coming);
            self.preloaded.send_replace(State::Coming);
            if let Err(error) = child.kill().await {
                error!(%error, "cannot end a zygote");
            }
            back_off.after(born.elapsed());
            (zygote, child) = self.start(&mut back_off).await;
            info!("a new zygote is up");
            self.base.send_replace(State::Up(Arc::clone(&zygote)));
        }
    }

    async fn start(&self, back_off: &mut BackOff) -> (Arc<Zygote>, Child) {
        let Nursery { installation, policy, preload } = &self.nursery;
        loop {
            back_off.pause().await;
            match Zygote::start(installation, policy, preload).await {
                Ok((zygote, child)) => return (Arc::new(zygote), child),
                Err(error) => {
                    error!(%error, "a zygote did not start");
                    back_off.more();
                }
            }
        }
    }

    /// Keeps a preloaded zygote of this one alive, until that takes another one of this one too.
    async fn keep_preloaded(&self, zygote: &Zygote) {
        if self.nursery.preload.is_empty() {
            self.preloaded.send_replace(State::Failed);
            return std::future::pending().await;
        }
        let mut back_off = BackOff::default();
        loop {
            let born = Instant::now();
            match zygote.preload(&self.nursery.preload).await {
                Ok((preloaded, mut lifeline)) => {
                    info!(modules = self.nursery.preload.join(","), "preloaded");
                    let preloaded = Arc::new(preloaded);
                    self.preloaded.send_replace(State::Up(Arc::clone(&preloaded)));
                    tokio::select! {
                        () = lifeline.ended() => warn!("the preloaded zygote has died; starting another"),
                        () = preloaded.condemned() => {
                            // It may have been stopped: only the end of the first one is sure to take it along.
                            warn!("the preloaded zygote does not work any more; starting both anew");
                            return;
                        }
                    }
                    self.preloaded.send_replace(State::Coming);
                    back_off.after(born.elapsed());
                }
                Err(error) => {
                    error!(%error, "cannot preload modules, so scripts have to import them themselves");
                    self.preloaded.send_replace(State::Failed);
                    back_off.more();
                }
            }
            back_off.pause().await;
        }
    }
}

/// Longer and longer pauses.
#[derive(Default)]
struct BackOff(Duration);

impl BackOff {
    /// Something has ended that lived so long.
    fn after(&mut self, life: Duration) {
        if life < INFANT { self.more() } else { self.0 = Duration::ZERO }
    }

    fn more(&mut self) {
        self.0 = (self.0 * 2).clamp(RETRY, MAX_BACK_OFF);
    }

    async fn pause(&self) {
        tokio::time::sleep(self.0).await;
    }
}

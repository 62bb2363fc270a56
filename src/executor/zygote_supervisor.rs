//! The zygotes: one that is up as soon as Python is, and one of it with modules preloaded. They are replaced
//! when they die, hang, or have done enough.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::trouble::Trouble;
use super::zygote_client::{Lifeline, StartError, ZygoteClient};
use crate::config::Renewal;
use crate::sandbox::privileges::Installation;
use crate::sandbox::{Mechanism, Policy};
use crate::telemetry::metrics::{Metrics, ZygoteEnd, ZygoteKind};

/// Between two attempts of something that failed: long enough not to take a processor, short enough to recover at once.
const RETRY: Duration = Duration::from_millis(100);

/// A zygote that dies younger than this is not replaced at once.
const MIN_UPTIME: Duration = Duration::from_secs(1);

/// The longest pause before a zygote is replaced.
const MAX_BACK_OFF: Duration = Duration::from_secs(1);

/// How often zygotes are asked whether they are there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What there is of a zygote.
#[derive(Clone)]
pub enum State {
    /// It is being started.
    Coming,
    Up(Arc<ZygoteClient>),
    /// It cannot be had. It is tried again, but is not to be waited for.
    Failed,
}

impl State {
    pub fn zygote(&self) -> Option<&Arc<ZygoteClient>> {
        match self {
            Self::Up(zygote) => Some(zygote),
            Self::Coming | Self::Failed => None,
        }
    }
}

pub type Current = watch::Receiver<State>;

/// Both zygotes, as others see them.
#[derive(Clone)]
pub struct ZygoteSet {
    pub base: Current,
    pub preloaded: Current,
    /// Failures to start the first one.
    pub starts: Arc<Trouble>,
}

/// What zygotes are started with.
pub struct ZygoteSpec {
    pub installation: Installation,
    pub policy: Policy,
    pub preload: Vec<String>,
    pub renewal: Renewal,
    pub metrics: Arc<Metrics>,
}

/// Keeps the zygotes alive.
pub struct ZygoteSupervisor {
    spec: ZygoteSpec,
    base: watch::Sender<State>,
    preloaded: watch::Sender<State>,
    starts: Arc<Trouble>,
    preloads: Trouble,
}

/// A first zygote, and the preloaded one that was forked of it, if there is one.
pub struct ZygotePair {
    pub base: Arc<ZygoteClient>,
    pub child: Child,
    pub preloaded: Option<Preloaded>,
}

pub struct Preloaded {
    zygote: Arc<ZygoteClient>,
    lifeline: Lifeline,
}

/// Reasons for the end of a pair.
enum End {
    Lost(ZygoteEnd),
    /// This one takes its place.
    Spent(Box<ZygotePair>),
}

impl ZygoteSupervisor {
    /// `zygote` is up.
    pub fn new(spec: ZygoteSpec, zygote: Arc<ZygoteClient>) -> (Self, ZygoteSet) {
        spec.metrics.zygote_started(ZygoteKind::Base);
        let (base, base_seen) = watch::channel(State::Up(zygote));
        let (preloaded, preloaded_seen) = watch::channel(State::Coming);
        let starts = Arc::new(Trouble::new("start a zygote", ZygoteKind::Base));
        // Scripts import them themselves then.
        let preloads = Trouble::new("preload modules", ZygoteKind::Preloaded);
        let zygotes = ZygoteSet { base: base_seen, preloaded: preloaded_seen, starts: Arc::clone(&starts) };
        (Self { spec, base, preloaded, starts, preloads }, zygotes)
    }

    /// Replaces what dies, hangs or has done enough.
    pub async fn keep(self, mut pair: ZygotePair) {
        let mut back_off = BackOff::default();
        // They end when the last of their workers has.
        let mut retired = JoinSet::new();
        loop {
            let started_at = Instant::now();
            match self.watch(&mut pair).await {
                End::Spent(next) => {
                    info!("new zygotes take the place of those that have done enough");
                    self.note_end(&pair, ZygoteEnd::Renewed);
                    self.retire(&pair);
                    self.announce(&next);
                    let ZygotePair { base, mut child, .. } = std::mem::replace(&mut pair, *next);
                    // It ends when nobody has it any more, or when it does not end a monitor.
                    let (gone, condemned, is_launched) = (base.gone(), base.condemnation(), base.has_pid_namespace);
                    drop(base);
                    retired.spawn(async move {
                        let is_condemned = tokio::select! {
                            _ = child.wait() => false,
                            () = condemned.notified() => true,
                        };
                        if is_condemned && let Err(error) = end(&mut child, is_launched).await {
                            error!(%error, "cannot end a zygote");
                        }
                        gone.set();
                    });
                }
                End::Lost(reason) => {
                    warn!(?reason, "a zygote is lost; starting another");
                    self.note_end(&pair, reason);
                    self.retire(&pair);
                    self.base.send_replace(State::Coming);
                    self.preloaded.send_replace(State::Coming);
                    let is_launched = pair.base.has_pid_namespace;
                    if let Err(error) = end(&mut pair.child, is_launched).await {
                        error!(%error, "cannot end a zygote");
                    }
                    pair.base.gone().set();
                    back_off.after(started_at.elapsed());
                    pair = self.start(&mut back_off).await;
                    info!("a new zygote is up");
                    self.base.send_replace(State::Up(Arc::clone(&pair.base)));
                }
            }
            while retired.try_join_next().is_some() {}
        }
    }

    async fn watch(&self, pair: &mut ZygotePair) -> End {
        let ZygotePair { base, child, preloaded } = pair;
        tokio::select! {
            _ = child.wait() => End::Lost(ZygoteEnd::Died),
            () = base.condemned() => End::Lost(ZygoteEnd::Hung),
            () = self.keep_preloaded(base, preloaded.take()) => End::Lost(ZygoteEnd::Hung),
            next = self.successor(base) => End::Spent(Box::new(next)),
        }
    }

    async fn start(&self, back_off: &mut BackOff) -> ZygotePair {
        let ZygoteSpec { installation, policy, preload, metrics, .. } = &self.spec;
        loop {
            back_off.pause().await;
            match ZygoteClient::start(installation, policy, preload).await {
                Ok((zygote, child)) => {
                    metrics.zygote_started(ZygoteKind::Base);
                    self.starts.succeeded();
                    return ZygotePair { base: Arc::new(zygote), child, preloaded: None };
                }
                Err(error) => {
                    self.starts.failed(&error.reason());
                    back_off.more();
                }
            }
        }
    }

    fn retire(&self, pair: &ZygotePair) {
        pair.base.retire();
        if let Some(preloaded) = self.preloaded.borrow().zygote() {
            preloaded.retire();
        }
    }

    /// Both zygotes are to have all that these have.
    fn announce(&self, next: &ZygotePair) {
        self.base.send_replace(State::Up(Arc::clone(&next.base)));
        self.preloaded.send_replace(match &next.preloaded {
            Some(preloaded) => State::Up(Arc::clone(&preloaded.zygote)),
            None => State::Failed,
        });
    }

    fn note_end(&self, pair: &ZygotePair, reason: ZygoteEnd) {
        self.spec.metrics.zygote_ended(pair.base.kind(), reason);
        if let Some(preloaded) = self.preloaded.borrow().zygote() {
            self.spec.metrics.zygote_ended(preloaded.kind(), reason);
        }
    }

    /// Asks both zygotes again and again whether they are there. When one has done enough, starts others, while these go on.
    async fn successor(&self, base: &ZygoteClient) -> ZygotePair {
        if self.spec.policy.has(Mechanism::Seal) {
            // While a sealed script runs, nothing is started beside it; and Lambda renews its environments by itself.
            return std::future::pending().await;
        }
        loop {
            let preloaded = self.preloaded.borrow().zygote().cloned();
            for zygote in [Some(base), preloaded.as_deref()].into_iter().flatten() {
                // Whoever does not answer is condemned.
                let _ = zygote.ping().await;
                if zygote.is_spent(self.spec.renewal) {
                    return self.start_whole().await;
                }
            }
            tokio::time::sleep(HEARTBEAT).await;
        }
    }

    /// Starts both zygotes, however often that takes.
    async fn start_whole(&self) -> ZygotePair {
        let mut back_off = BackOff::default();
        loop {
            let mut pair = self.start(&mut back_off).await;
            if self.spec.preload.is_empty() {
                return pair;
            }
            match self.fork_preloaded(&pair.base).await {
                Ok(preloaded) => {
                    pair.preloaded = Some(preloaded);
                    return pair;
                }
                Err(_) => back_off.more(),
            }
        }
    }

    async fn fork_preloaded(&self, base: &Arc<ZygoteClient>) -> Result<Preloaded, StartError> {
        let (zygote, lifeline) =
            base.preload(&self.spec.preload).await.inspect_err(|error| self.preloads.failed(&error.reason()))?;
        self.preloads.succeeded();
        self.spec.metrics.zygote_started(ZygoteKind::Preloaded);
        Ok(Preloaded { zygote: Arc::new(zygote), lifeline })
    }

    /// Keeps a preloaded zygote of this one alive, until that takes another one of this one too.
    async fn keep_preloaded(&self, base: &Arc<ZygoteClient>, mut there: Option<Preloaded>) {
        if self.spec.preload.is_empty() {
            self.preloaded.send_replace(State::Failed);
            return std::future::pending().await;
        }
        let mut back_off = BackOff::default();
        loop {
            let started_at = Instant::now();
            let forked = match there.take() {
                Some(preloaded) => Ok(preloaded),
                None => self.fork_preloaded(base).await,
            };
            if let Ok(Preloaded { zygote, mut lifeline }) = forked {
                info!(modules = self.spec.preload.join(","), "preloaded");
                self.preloaded.send_replace(State::Up(Arc::clone(&zygote)));
                tokio::select! {
                    () = lifeline.ended() => warn!("the preloaded zygote has died; starting another"),
                    () = zygote.condemned() => {
                        // It may have been stopped: only the end of the first one is sure to take it along.
                        warn!("the preloaded zygote does not work any more; starting both anew");
                        return;
                    }
                }
                zygote.retire();
                self.spec.metrics.zygote_ended(ZygoteKind::Preloaded, ZygoteEnd::Died);
                self.preloaded.send_replace(State::Coming);
                back_off.after(started_at.elapsed());
            } else {
                self.preloaded.send_replace(State::Failed);
                back_off.more();
            }
            back_off.pause().await;
        }
    }
}

/// Ends a first zygote with all that came of it, and waits until nothing is left. A launcher is told so, and ends when its PID
/// namespace has: to kill it would leave the namespace to end in its own time.
async fn end(child: &mut Child, is_launched: bool) -> std::io::Result<()> {
    let launcher = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).filter(|_| is_launched);
    let Some(launcher) = launcher else { return child.kill().await };
    // It may have ended already.
    let _ = kill_process(launcher, Signal::TERM);
    child.wait().await.map(drop)
}

/// Longer and longer pauses.
#[derive(Default)]
struct BackOff(Duration);

impl BackOff {
    /// Something has ended that lived so long.
    fn after(&mut self, life: Duration) {
        if life < MIN_UPTIME { self.more() } else { self.0 = Duration::ZERO }
    }

    fn more(&mut self) {
        self.0 = (self.0 * 2).clamp(RETRY, MAX_BACK_OFF);
    }

    async fn pause(&self) {
        tokio::time::sleep(self.0).await;
    }
}

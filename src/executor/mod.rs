//! From a [`Job`] to its [`Outcome`]: admission, a worker, watching it until its end.

pub mod capture;
mod isolation;
mod monitor_client;
mod output;
mod pool;
mod queue;
pub mod reaper;
mod trouble;
mod worker_client;
mod zygote_client;
mod zygote_supervisor;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::{Instrument, error, info_span, warn};

use crate::access::Caller;
use crate::config::Config;
use crate::ipc::{AnswerLimits, Ready, Task, Token};
use crate::job::Job;
use crate::outcome::{Failure, Outcome, Usage};
use crate::sandbox::integrity::Integrity;
use crate::sandbox::privileges::Installation;
use crate::sandbox::report::IsolationReport;
use crate::sandbox::usage::{Excess, Used};
use crate::sandbox::{Mechanism, remove_abandoned};
use crate::telemetry::metrics::{Metrics, Vitals};
use monitor_client::WorkerTree;
pub use output::{Stream, Subscriber};
use pool::{Pool, Shortage};
use queue::{Admission, Busy, Queue, RunPermit};
use worker_client::{Lost, Run, WorkerClient};
pub use zygote_client::StartError;

/// How often a job is begun again when its worker is lost for no fault of the script. A script has no effect outside of
/// its sandbox, so running it again is safe.
const ATTEMPTS: usize = 5;

/// Time in which a healthy host makes a worker, however busy it is.
const MAKE_LIMIT: Duration = Duration::from_secs(10);

/// Time that an answer waits for the job's usage, which takes milliseconds to read.
const USAGE_LIMIT: Duration = Duration::from_secs(1);

/// Why a job was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// All places are taken, and so are the waiting ones, or the wait was too long.
    #[error("too many scripts are running or waiting")]
    Busy { retry: Duration },
    /// The service is going down.
    #[error("the service is shutting down")]
    ShuttingDown,
    /// No worker could be made in time; the log says why.
    #[error("no worker can be made for the script at the moment")]
    NoWorker,
    /// Workers were lost again and again.
    #[error("the script's worker was lost")]
    Lost,
    /// A fault of ours; the log says which.
    #[error("internal error")]
    Fault,
}

impl Unavailable {
    /// For the log and for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::ShuttingDown => "shutting_down",
            Self::NoWorker => "no_worker",
            Self::Lost => "lost",
            Self::Fault => "fault",
        }
    }
}

/// The limits of what is collected from a worker.
#[derive(Debug, Clone, Copy)]
pub struct OutputLimits {
    pub max_output_bytes: usize,
    pub max_result_bytes: usize,
    max_files: usize,
    max_file_bytes: usize,
    memory_bytes: u64,
    max_processes: u64,
    scratch_bytes: u64,
}

impl OutputLimits {
    fn new(config: &Config) -> Self {
        Self {
            max_output_bytes: config.max_stdout_bytes,
            max_result_bytes: config.max_result_bytes,
            max_files: config.max_files,
            max_file_bytes: config.max_file_bytes,
            memory_bytes: config.policy.memory_bytes,
            max_processes: config.policy.max_processes,
            scratch_bytes: config.policy.scratch_bytes,
        }
    }

    /// How much a worker may answer.
    fn answer(&self, task: Task) -> AnswerLimits {
        let (files, file_bytes) = match task {
            Task::Execute | Task::Check => (0, 0),
            Task::Run | Task::RunNanAsNull => (self.max_files, self.max_file_bytes),
        };
        AnswerLimits { result: self.max_result_bytes, files, file_bytes }
    }

    /// What the monitor has ended a worker for.
    fn excess(&self, excess: Excess) -> Failure {
        match excess {
            Excess::Memory => Failure::OutOfMemory { limit: self.memory_bytes },
            Excess::Processes => Failure::OutOfProcesses { limit: self.max_processes },
            Excess::Scratch => Failure::OutOfScratch { limit: self.scratch_bytes },
        }
    }
}

impl From<Busy> for Unavailable {
    fn from(busy: Busy) -> Self {
        Self::Busy { retry: busy.retry }
    }
}

impl From<Shortage> for Unavailable {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Late => Self::NoWorker,
            Shortage::Stopped => Self::ShuttingDown,
        }
    }
}

/// A job that came to its end.
pub struct Finished {
    pub outcome: Outcome,
    /// Usage of the job, where the answer does not wait for it.
    pub late_usage: Option<oneshot::Receiver<Used>>,
}

/// A job's turn.
pub struct Turn {
    /// The worker that is to run it; none for a job without any time.
    worker: Option<WorkerClient>,
    /// Held until nothing is left of the job's worker.
    permit: RunPermit,
    /// Held until the job is answered.
    _admission: Admission,
    begun: Instant,
    max_wait: WaitLimits,
}

/// Latest times to wait for a worker.
#[derive(Debug, Clone, Copy)]
struct WaitLimits {
    until: Instant,
    /// The same where the worker's zygote is being made ready.
    at_most: Option<Instant>,
}

/// What the executor still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Jobs that run may finish; no other begins.
    Draining,
    /// Jobs that run are ended.
    Stopping,
}

/// Runs jobs, each in a sandboxed process of its own.
pub struct Executor {
    pool: Arc<Pool>,
    posture: IsolationReport,
    /// On a sealed host: what a script must not have changed about the service.
    integrity: Option<Integrity>,
    limits: OutputLimits,
    metrics: Arc<Metrics>,
    queue: Arc<Queue>,
    /// Longest wait of a job for its turn and its worker.
    max_wait: Duration,
    phase: watch::Sender<Phase>,
}

impl Executor {
    /// Starts the zygotes and the first worker. Fails if the host cannot keep the promises.
    pub async fn start(config: &Config, installation: Installation, metrics: Arc<Metrics>) -> Result<Self, StartError> {
        // Nothing of a script may stay for good. The service can work beside it, so it says so and goes on.
        if let Err(error) = remove_abandoned(&config.policy) {
            warn!(%error, "the scratch directory of a service that was killed cannot be removed");
        }
        let (pool, posture) = Pool::start(config, installation, Arc::clone(&metrics)).await?;
        let concurrency = posture.concurrency(config.concurrency);
        Ok(Self {
            pool: Arc::new(pool),
            integrity: posture.policy.has(Mechanism::Seal).then(Integrity::of_this_process),
            queue: Queue::new(concurrency, posture.spare(), config.queue, config.queue_wait),
            max_wait: config.queue_wait,
            posture,
            limits: OutputLimits::new(config),
            metrics,
            phase: watch::Sender::new(Phase::Serving),
        })
    }

    /// Python and its packages, for scripts to work with; `None` while they are not known.
    pub fn ready(&self) -> Option<Ready> {
        self.pool.ready().filter(|_| *self.phase.borrow() == Phase::Serving)
    }

    /// Explains why no script can be run; `None` if one can.
    pub fn trouble(&self) -> Option<String> {
        if *self.phase.borrow() != Phase::Serving {
            return Some(Unavailable::ShuttingDown.to_string());
        }
        self.pool.trouble()
    }

    /// Tries again what failed, where only jobs do that otherwise: callers may stay away from a service that says that it can
    /// run none.
    pub async fn retry(&self) {
        if *self.phase.borrow() == Phase::Serving {
            self.pool.retry().await;
        }
    }

    /// How it is doing.
    pub fn vitals(&self) -> Vitals {
        let (running, waiting) = self.queue.length();
        Vitals { ready: self.trouble().is_none(), running, waiting, ..self.pool.vitals() }
    }

    /// What locks scripts in on this host.
    pub fn posture(&self) -> &IsolationReport {
        &self.posture
    }

    /// Waits for a caller's turn, which waits no longer than it may, nor do too many, and for a worker, for which it waits until
    /// `latest` at most.
    pub async fn turn(&self, caller: &Caller, job: &Job, latest: Option<Instant>) -> Result<Turn, Unavailable> {
        tokio::select! {
            biased;
            () = self.reached(Phase::Draining) => Err(Unavailable::ShuttingDown),
            turn = self.line_up(caller, job, latest).instrument(info_span!("queue")) => turn,
        }
    }

    async fn line_up(&self, caller: &Caller, job: &Job, latest: Option<Instant>) -> Result<Turn, Unavailable> {
        let begun = Instant::now();
        let until = latest.map_or(begun + self.max_wait, |latest| latest.min(begun + self.max_wait));
        let max_wait = WaitLimits { until, at_most: latest };
        let (mut permit, admission) = self.queue.enter(caller).await?;
        // A short script could be done before a timer tells that its time is over.
        if job.timeout().is_zero() {
            return Ok(Turn { worker: None, permit, _admission: admission, begun, max_wait });
        }
        // How long jobs take is not known from those that get no worker.
        permit.count(false);
        let worker = self.worker(job, max_wait).await?;
        permit.count(true);
        Ok(Turn { worker: Some(worker), permit, _admission: admission, begun, max_wait })
    }

    /// Waits for a worker; as long as nothing has failed, also for one that is being made.
    async fn worker(&self, job: &Job, WaitLimits { until, at_most }: WaitLimits) -> Result<WorkerClient, Unavailable> {
        let imported = self.pool.imported(job);
        match at_most {
            Some(latest) => tokio::time::timeout_at(latest, imported).await.map_err(|_| Unavailable::NoWorker)?,
            None => imported.await,
        }
        tokio::select! {
            worker = self.pool.take(job, until.max(Instant::now() + MAKE_LIMIT)) => Ok(worker?),
            () = self.fails_after(until) => Err(Unavailable::NoWorker),
        }
    }

    /// Ends when it is so late, and something has failed.
    async fn fails_after(&self, until: Instant) {
        const INTERVAL: Duration = Duration::from_millis(50);
        tokio::time::sleep_until(until).await;
        while self.pool.trouble().is_none() {
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Runs a job in its turn, and tells of what it prints meanwhile. Dropping the future ends the job.
    pub async fn run_in_turn(
        &self,
        job: &Job,
        turn: Turn,
        subscriber: Option<&Subscriber>,
    ) -> Result<Finished, Unavailable> {
        tokio::select! {
            biased;
            () = self.reached(Phase::Stopping) => Err(Unavailable::ShuttingDown),
            outcome = self.attempt(job, turn, subscriber).instrument(info_span!("run")) => outcome,
        }
    }

    async fn attempt(&self, job: &Job, turn: Turn, subscriber: Option<&Subscriber>) -> Result<Finished, Unavailable> {
        let Turn { worker, mut permit, begun: queued, max_wait, _admission } = turn;
        let Some(mut worker) = worker else {
            let outcome = Outcome::not_begun(Failure::TimedOut { limit: job.timeout() }, queued.elapsed());
            return Ok(Finished { outcome, late_usage: None });
        };
        let begun = Instant::now();
        for _ in 0..ATTEMPTS {
            let token = new_token().map_err(|error| fault(&error))?;
            let queue = queued.elapsed();
            match worker.run(job, token, self.limits, permit, subscriber).await {
                Ok(Run { mut outcome, tree }) => {
                    outcome.usage.queue = queue;
                    let late_usage = self.see_off(tree, job.task(), &mut outcome.usage).await;
                    return Ok(Finished { outcome, late_usage });
                }
                Err(Lost { reason, tree, is_known }) => {
                    let (_, kept) = tree.terminate().await;
                    self.check_integrity();
                    permit = kept.ok_or(Unavailable::Fault)?;
                    self.metrics.worker_lost();
                    warn!(%reason, "a worker was lost");
                    // However often it is begun again, a job does not take twice its time, nor print twice.
                    if begun.elapsed() > job.timeout() || is_known {
                        break;
                    }
                    worker = self.worker(job, max_wait).await?;
                }
            }
        }
        error!("a job lost its workers again and again");
        Err(Unavailable::Lost)
    }

    /// Waits until nothing is left of a worker, if that must be so before its job is answered. Returns the usage that the answer
    /// does not wait for.
    async fn see_off(&self, mut tree: WorkerTree, task: Task, usage: &mut Usage) -> Option<oneshot::Receiver<Used>> {
        if self.posture.policy.has(Mechanism::Sweep) {
            // Nothing may be left behind when the answer leaves, which may be the last thing that this process does for a
            // while.
            let (used, permit) = tree.terminate().await;
            add(used, usage);
            self.check_integrity();
            let pool = Arc::clone(&self.pool);
            tokio::spawn(async move {
                pool.refill().await;
                drop(permit);
            });
            return None;
        }
        // A PID namespace ends as a whole: the answer need not wait for that, the next job does.
        let used = tree.usage();
        if task == Task::Execute {
            tokio::spawn(tree.terminate());
            return Some(used);
        }
        let mut terminating = Box::pin(tree.terminate());
        tokio::select! {
            biased;
            used = used => {
                add(used.ok(), usage);
                tokio::spawn(terminating);
            }
            (used, _permit) = &mut terminating => add(used, usage),
            () = tokio::time::sleep(USAGE_LIMIT) => {
                tokio::spawn(terminating);
            }
        }
        None
    }

    /// A sealed script can change limits and priorities of other processes of its user. If it did so to the service,
    /// later jobs would not get what they are promised, so there are none.
    fn check_integrity(&self) {
        if self.integrity.as_ref().is_some_and(|before| !Integrity::of_this_process().is_as(before)) {
            error!("a script has changed the service's limits or priority, so the service ends");
            std::process::exit(monitor_client::COMPROMISED);
        }
    }

    /// Answers waiting and new jobs with [`Unavailable::ShuttingDown`], and waits until the running ones are done.
    pub async fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
        self.settled().await;
    }

    /// Waits until nothing is left of the jobs that ran, and all is ready for the next one.
    pub async fn settled(&self) {
        self.queue.idle().await;
    }

    /// Ends the running jobs too; they are answered with [`Unavailable::ShuttingDown`].
    pub fn cancel(&self) {
        self.phase.send_replace(Phase::Stopping);
    }

    /// Ends everything.
    pub async fn stop(&self) {
        self.cancel();
        self.pool.stop().await;
    }

    async fn reached(&self, phase: Phase) {
        // The sender lives as long as this does.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }
}

/// What a monitor says that was used.
fn add(used: Option<Used>, usage: &mut Usage) {
    if let Some(used) = used {
        usage.add(used);
    }
}

fn new_token() -> std::io::Result<Token> {
    let mut token = Token::default();
    rustix::rand::getrandom(&mut token, rustix::rand::GetRandomFlags::empty())?;
    Ok(token)
}

fn fault(error: &dyn std::error::Error) -> Unavailable {
    error!(%error, "cannot run a job");
    Unavailable::Fault
}

//! From a [`Job`] to its [`Outcome`]: admission, a worker, watching it until its end.

mod capture;
mod pool;
mod worker;
mod zygote;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, error, warn};

use crate::config::Config;
use crate::job::Job;
use crate::outcome::{Ending, Outcome};
use crate::protocol::Token;
use crate::sandbox::privileges::Installation;
use pool::Pool;
use worker::{Lost, Run};
pub use zygote::StartError;

/// How often a job is begun again when its worker is lost for no fault of the script. A script has no effect outside of
/// its sandbox, so running it again is safe.
const ATTEMPTS: usize = 5;

/// Why a job was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// All places are taken, and so are the waiting ones, or the wait was too long.
    #[error("too many scripts are running or waiting")]
    Busy,
    /// The service is going down.
    #[error("the service is shutting down")]
    ShuttingDown,
    /// Workers were lost again and again.
    #[error("the script's worker was lost")]
    Lost,
    /// A fault of ours; the log says which.
    #[error("internal error")]
    Fault,
}

/// The limits of what is collected from a worker.
#[derive(Debug, Clone, Copy)]
pub struct Collect {
    pub max_output_bytes: usize,
    pub max_result_bytes: usize,
    pub memory_bytes: u64,
}

/// Runs jobs, each in a sandboxed process of its own.
pub struct Executor {
    pool: Pool,
    collect: Collect,
    /// A permit is held from before a job starts until its worker is gone for good.
    running: Arc<Semaphore>,
    /// A permit is held while a job waits or runs.
    admitted: Arc<Semaphore>,
    queue_wait: Duration,
    concurrency: u32,
}

impl Executor {
    /// Starts the zygotes and the first worker. Fails if the host cannot keep the promises.
    pub async fn start(config: &Config, installation: Installation) -> Result<Self, StartError> {
        let concurrency = config.concurrency.get();
        Ok(Self {
            pool: Pool::start(config, installation).await?,
            collect: Collect {
                max_output_bytes: config.max_stdout_bytes,
                max_result_bytes: config.max_result_bytes,
                memory_bytes: config.policy.memory_bytes,
            },
            running: Arc::new(Semaphore::new(concurrency)),
            admitted: Arc::new(Semaphore::new(concurrency + config.queue)),
            queue_wait: config.queue_wait,
            concurrency: u32::try_from(concurrency).unwrap_or(u32::MAX),
        })
    }

    /// Python's version.
    pub fn python(&self) -> String {
        self.pool.python()
    }

    /// Runs a job when its turn comes. Dropping the future ends the job.
    pub async fn run(&self, job: &Job) -> Result<Outcome, Unavailable> {
        let _place = self.admitted.try_acquire().map_err(|error| match error {
            tokio::sync::TryAcquireError::Closed => Unavailable::ShuttingDown,
            tokio::sync::TryAcquireError::NoPermits => Unavailable::Busy,
        })?;
        let turn = self.turn().await?;
        for _ in 0..ATTEMPTS {
            let token = new_token().map_err(|error| fault(&error))?;
            let worker = self.pool.take().await.ok_or(Unavailable::ShuttingDown)?;
            match worker.run(job, token, self.collect).await {
                Ok(Run { outcome, remains }) => {
                    let answered = matches!(outcome.ending, Ending::Returned(_));
                    // The worker is dying: the answer need not wait for it, the next job does.
                    tokio::spawn(async move {
                        let usage = remains.gone(answered).await;
                        if let Some(usage) = usage {
                            let (cpu, rss) = (usage.cpu, usage.max_rss_bytes);
                            debug!(cpu_ms = cpu.as_secs_f64() * 1e3, max_rss_bytes = rss, "a worker is gone");
                        }
                        drop(turn);
                    });
                    return Ok(outcome);
                }
                Err(Lost { reason, remains }) => {
                    warn!(%reason, "a worker was lost; its job is begun again");
                    remains.gone(false).await;
                }
            }
        }
        error!("a job lost {ATTEMPTS} workers in a row");
        Err(Unavailable::Lost)
    }

    /// Answers waiting and new jobs with [`Unavailable::ShuttingDown`], and waits until the running ones are done.
    pub async fn drain(&self) {
        self.admitted.close();
        // Closing wakes those who wait for their turn; those who have one keep it.
        let all = self.running.acquire_many(self.concurrency);
        let _ = all.await;
        self.running.close();
    }

    /// Ends everything that still runs.
    pub async fn stop(&self) {
        self.admitted.close();
        self.running.close();
        self.pool.stop().await;
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Unavailable> {
        let turn = Arc::clone(&self.running).acquire_owned();
        match tokio::time::timeout(self.queue_wait, turn).await {
            Ok(Ok(_)) if self.admitted.is_closed() => Err(Unavailable::ShuttingDown),
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(Unavailable::ShuttingDown),
            Err(_) => Err(Unavailable::Busy),
        }
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

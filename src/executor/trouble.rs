//! Failures that repeat: what the log and `GET /health` say of them, and when the next attempt is made.
//!
//! A host that refuses something refuses every attempt. The log gets the first failure, and then reports at growing intervals;
//! attempts are made one at a time, with growing pauses. The first success ends both.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, MutexGuard, watch};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::telemetry::metrics::ZygoteKind;

/// Pause after the first failure: long enough not to take a processor, short enough to recover at once.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause. While nobody waits for a success, it bounds how late the service notices that the cause is gone.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause while a caller waits for a success.
const MAX_AWAITED_PAUSE: Duration = Duration::from_millis(500);

/// Time until the log repeats a cause; it doubles with each repetition.
const MIN_SILENCE: Duration = Duration::from_secs(10);
const MAX_SILENCE: Duration = Duration::from_hours(1);

/// After this time without a failure the log knows nothing of earlier ones.
const CALM: Duration = Duration::from_mins(1);

/// Causes that have intervals of their own. The text of a cause may be different each time.
const MAX_CAUSES: usize = 8;

/// An operation of the executor that may fail again and again.
pub struct Trouble {
    /// The operation, as in "cannot make a worker".
    what: &'static str,
    zygote: ZygoteKind,
    outage: watch::Sender<Option<Outage>>,
    log: Mutex<Log>,
}

/// Failures since the last success.
#[derive(Debug, Clone)]
struct Outage {
    since: Instant,
    failures: u64,
    /// Cause of the last failure.
    cause: String,
    /// Set if the log has it.
    is_logged: bool,
}

/// Causes in the log.
#[derive(Default)]
struct Log {
    reports: HashMap<String, Report>,
    last_failure: Option<Instant>,
}

struct Report {
    next: Instant,
    silence: Duration,
}

impl Log {
    /// Decides whether a failure is worth a line.
    fn wants(&mut self, cause: &str, now: Instant) -> bool {
        if self.last_failure.replace(now).is_some_and(|last| now - last > CALM) {
            self.reports.clear();
        }
        let is_new = !self.reports.contains_key(cause);
        let key = if is_new && self.reports.len() >= MAX_CAUSES { "" } else { cause };
        let report = self.reports.entry(key.to_owned()).or_insert(Report { next: now, silence: MIN_SILENCE });
        if now < report.next {
            return false;
        }
        report.next = now + report.silence;
        report.silence = (report.silence * 2).min(MAX_SILENCE);
        true
    }
}

impl Trouble {
    pub fn new(what: &'static str, zygote: ZygoteKind) -> Self {
        Self { what, zygote, outage: watch::Sender::new(None), log: Mutex::default() }
    }

    /// Notes a failed attempt.
    pub fn failed(&self, cause: &dyn Display) {
        let (cause, now) = (cause.to_string(), Instant::now());
        let is_wanted = self.log.lock().unwrap_or_else(PoisonError::into_inner).wants(&cause, now);
        self.outage.send_modify(|outage| {
            let first = Outage { since: now, failures: 0, cause: String::new(), is_logged: false };
            let outage = outage.get_or_insert(first);
            outage.failures += 1;
            outage.is_logged |= is_wanted;
            if is_wanted {
                let (failures, zygote) = (outage.failures, self.zygote.as_str());
                warn!(zygote, failures, %cause, "cannot {}; trying again", self.what);
            }
            outage.cause = cause;
        });
    }

    /// Notes a success.
    pub fn succeeded(&self) {
        let mut ended = None;
        self.outage.send_if_modified(|outage| {
            ended = outage.take();
            ended.is_some()
        });
        if let Some(Outage { since, failures, is_logged: true, .. }) = ended {
            let seconds = since.elapsed().as_secs_f64();
            info!(zygote = self.zygote.as_str(), failures, seconds, "can {} again", self.what);
        }
    }

    /// Forgets the failures, because what failed has been replaced.
    pub fn forget(&self) {
        self.outage.send_if_modified(|outage| outage.take().is_some());
    }

    /// Explains why the last attempt failed; `None` if it did not.
    pub fn cause(&self) -> Option<String> {
        self.outage.borrow().as_ref().map(|outage| format!("cannot {}: {}", self.what, outage.cause))
    }

    pub fn is_there(&self) -> bool {
        self.outage.borrow().is_some()
    }

    /// Waits until an attempt has failed, and none succeeded since.
    pub async fn begun(&self) {
        // The sender lives as long as this does.
        let _ = self.outage.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until an attempt has succeeded, or none has failed yet.
    async fn ended(&self) {
        let _ = self.outage.subscribe().wait_for(Option::is_none).await;
    }
}

/// Attempts at one operation. While they fail, one is made at a time.
pub struct Attempts {
    pub trouble: Trouble,
    pace: AsyncMutex<Pace>,
    /// Number of callers that wait for a success.
    waiting: watch::Sender<usize>,
}

/// Time of the next attempt.
struct Pace {
    pause: Duration,
    last: Instant,
}

impl Pace {
    fn next(&self, waiting: usize) -> Instant {
        self.last + if waiting > 0 { self.pause.min(MAX_AWAITED_PAUSE) } else { self.pause }
    }
}

/// Permission for one attempt.
#[must_use]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    /// Held while attempts fail, so that there is no other one.
    pace: Option<MutexGuard<'a, Pace>>,
}

/// A caller that waits for a success, until this is dropped.
pub struct Waiting<'a>(&'a Attempts);

impl Attempts {
    pub fn new(what: &'static str, zygote: ZygoteKind) -> Self {
        let pace = AsyncMutex::new(Pace { pause: Duration::ZERO, last: Instant::now() });
        Self { trouble: Trouble::new(what, zygote), pace, waiting: watch::Sender::new(0) }
    }

    /// Waits until an attempt may be made: at once, unless the last one failed.
    pub async fn next(&self) -> Attempt<'_> {
        let whenever = Attempt { attempts: self, pace: None };
        if !self.trouble.is_there() {
            return whenever;
        }
        let pace = self.pace.lock().await;
        let mut waiting = self.waiting.subscribe();
        loop {
            // The attempt before this one may have succeeded.
            if !self.trouble.is_there() {
                return whenever;
            }
            let next = pace.next(*waiting.borrow_and_update());
            if next <= Instant::now() {
                return Attempt { attempts: self, pace: Some(pace) };
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.trouble.ended() => {}
                _ = waiting.changed() => {}
            }
        }
    }

    /// Permits another attempt after failed ones, if its time has come and nobody else makes one.
    pub fn next_due(&self) -> Option<Attempt<'_>> {
        let pace = self.pace.try_lock().ok()?;
        let is_due = self.trouble.is_there() && pace.next(0) <= Instant::now();
        is_due.then_some(Attempt { attempts: self, pace: Some(pace) })
    }

    /// Shortens the pauses while a caller waits.
    pub fn wait(&self) -> Waiting<'_> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        Waiting(self)
    }
}

impl Attempt<'_> {
    pub fn failed(mut self, cause: &dyn Display) {
        match &mut self.pace {
            Some(pace) => **pace = Pace { pause: (pace.pause * 2).clamp(MIN_PAUSE, MAX_PAUSE), last: Instant::now() },
            // Of several attempts that began while all was well, the first failure counts.
            None => {
                if let Ok(mut pace) = self.attempts.pace.try_lock() {
                    *pace = Pace { pause: MIN_PAUSE, last: Instant::now() };
                }
            }
        }
        self.attempts.trouble.failed(cause);
    }

    pub fn succeeded(self) {
        self.attempts.trouble.succeeded();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts() -> Attempts {
        Attempts::new("test", ZygoteKind::Base)
    }

    /// Makes failing attempts; gives the pauses before them, in milliseconds.
    async fn pauses(attempts: &Attempts, number: usize) -> Vec<u128> {
        let mut pauses = Vec::new();
        for _ in 0..number {
            let begun = Instant::now();
            attempts.next().await.failed(&"refused");
            pauses.push(begun.elapsed().as_millis());
        }
        pauses
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_a_success_ends_them() {
        let attempts = attempts();
        assert_eq!(pauses(&attempts, 9).await, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        attempts.next().await.succeeded();
        assert_eq!(pauses(&attempts, 3).await, [0, 100, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_does_not_wait_for_a_long_pause() {
        let attempts = attempts();
        pauses(&attempts, 8).await;
        let begun = Instant::now();
        let come = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            attempts.wait()
        };
        let (attempt, waiting) = tokio::join!(attempts.next(), come);
        assert_eq!(begun.elapsed(), Duration::from_secs(2), "the attempt is made when somebody comes");
        attempt.failed(&"refused");
        assert_eq!(pauses(&attempts, 2).await, [500, 500]);
        drop(waiting);
        assert_eq!(pauses(&attempts, 1).await, [5000]);
    }

    #[tokio::test(start_paused = true)]
    async fn while_attempts_fail_there_is_one_at_a_time() {
        let attempts = attempts();
        let together = [attempts.next().await, attempts.next().await];
        for attempt in together {
            attempt.failed(&"refused");
        }
        assert!(attempts.next_due().is_none(), "it is too early");
        let attempt = attempts.next().await;
        tokio::time::advance(MAX_PAUSE).await;
        assert!(attempts.next_due().is_none(), "another one is being made");
        let others = async {
            attempts.next().await.succeeded();
            attempts.next().await.succeeded();
        };
        let begun = Instant::now();
        tokio::join!(others, async { attempt.succeeded() });
        assert_eq!(begun.elapsed(), Duration::ZERO, "nobody pauses after a success");
        assert!(attempts.next_due().is_none(), "there is nothing to repair");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_cause_is_known_until_a_success() {
        let trouble = Trouble::new("test", ZygoteKind::Base);
        assert_eq!(trouble.cause(), None);
        trouble.failed(&"refused");
        trouble.failed(&"full");
        trouble.begun().await;
        assert_eq!(trouble.cause().as_deref(), Some("cannot test: full"));
        trouble.succeeded();
        assert_eq!((trouble.cause(), trouble.is_there()), (None, false));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_what_has_been_replaced_are_forgotten() {
        let attempts = attempts();
        pauses(&attempts, 8).await;
        let begun = Instant::now();
        let replace = async { attempts.trouble.forget() };
        let (attempt, ()) = tokio::join!(attempts.next(), replace);
        assert_eq!((begun.elapsed(), attempts.trouble.cause()), (Duration::ZERO, None));
        attempt.failed(&"refused");
        assert_eq!(pauses(&attempts, 2).await, [100, 200]);
    }

    /// Counts the lines for so many failures, one a second.
    fn lines(log: &mut Log, begun: Instant, seconds: std::ops::Range<u64>, cause: fn(u64) -> String) -> usize {
        seconds.filter(|second| log.wants(&cause(*second), begun + Duration::from_secs(*second))).count()
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_repeats_itself_less_and_less() {
        let (mut log, begun) = (Log::default(), Instant::now());
        assert_eq!(lines(&mut log, begun, 0..10, |_| "refused".into()), 1);
        assert_eq!(lines(&mut log, begun, 10..70, |_| "refused".into()), 2, "after 10 s and 20 s more");
        assert_eq!(lines(&mut log, begun, 70..1000, |_| "refused".into()), 4);
        assert_eq!(lines(&mut log, begun, 1000..1020, |second| ["full", "refused"][second as usize % 2].into()), 2);
        assert_eq!(lines(&mut log, begun, 1100..1101, |_| "refused".into()), 1, "it is long ago");
    }

    #[tokio::test(start_paused = true)]
    async fn causes_that_are_never_the_same_do_not_fill_the_log() {
        let (mut log, begun) = (Log::default(), Instant::now());
        let lines = lines(&mut log, begun, 0..100, |second| format!("process {second}"));
        assert!(lines <= MAX_CAUSES + 4, "{lines}");
    }
}

//! The attack suite as a test, for the programs that have both `suite` and `support`.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::suite::{self, Options, Row, Target, Verdict};
use super::support::Owned;

/// Suites that run at the same time: each keeps a small machine busy, and what they measure is memory and time.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Waits for a turn, which is over when this is dropped.
pub async fn turn() -> SemaphorePermit<'static> {
    TURNS.acquire().await.expect("the semaphore is never closed")
}

/// Fails unless every attack comes to nothing, and every allowed use works. `may_say`: why a question may not arise there;
/// wherever else it does not, the suite has missed something.
pub async fn come_to_nothing(target: Target, process: &Owned, may_say: impl Fn(&str) -> bool) {
    // A part, for who looks for a fault.
    let options = Options { only: std::env::var("ATTACK_ONLY").ok(), ..Options::default() };
    let report = suite::run(target, &options).await;
    let report = report.unwrap_or_else(|words| panic!("{words}\n{}", process.log()));
    // Shown when the test fails.
    println!("{report}");
    assert!(report.is_good(), "{}", process.log());
    let is_odd = |row: &&Row| match &row.verdict {
        Verdict::NotApplicable(reason) => reason != "no EXECUTOR_API_KEY" && !may_say(reason),
        _ => false,
    };
    let odd: Vec<&Row> = report.rows.iter().filter(is_odd).collect();
    assert!(odd.is_empty(), "not tried: {odd:#?}");
}

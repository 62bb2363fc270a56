//! Two scripts at the same time, on services that can do that.

use std::time::Duration;

use serde_json::Value;

use super::bench::Bench;
use super::judge::Trouble;
use super::reply::Reply;
use super::scenario::{Kind, Outcome, Step};

/// How long the second script waits for the first to be under way.
const HEAD_START: Duration = Duration::from_millis(300);

/// By how much the second must have been answered earlier to have run beside the first, not after it.
const MARGIN: Duration = Duration::from_millis(300);

/// How often two scripts that have met nowhere are sent again: a busy machine may come to the second when the first is over,
/// but only a service that runs one job at a time keeps them apart each time.
const ATTEMPTS: usize = 4;

/// Runs both and judges both.
pub async fn both(bench: &Bench, kind: Kind, steps: &[Step; 2]) -> Outcome {
    for _ in 0..ATTEMPTS {
        let [first, second] = pair(bench, steps).await?;
        let [a, b] = steps;
        for (step, reply) in [(a, &first), (b, &second)] {
            let circumstances = bench.circumstances(kind, step.timeout);
            step.judge.judge(reply, &circumstances).map_err(Trouble::Broken)?;
        }
        if have_met(&first, &second) {
            return Ok(());
        }
    }
    Err(Trouble::NotApplicable("one job at a time".into()))
}

/// Runs both; not applicable where only one job runs at a time.
pub async fn pair(bench: &Bench, [first, second]: &[Step; 2]) -> Result<[Reply; 2], Trouble> {
    bench.http()?;
    let later = async {
        tokio::time::sleep(HEAD_START).await;
        bench.send(&second.request(), second.timeout).await
    };
    let (first, second) = (first.request(), later);
    let (first, second) = tokio::join!(bench.send(&first, 25.0), second);
    Ok([first.map_err(Trouble::Broken)?, second.map_err(Trouble::Broken)?])
}

/// Whether both were there at the same time. Scripts that live to tell say when they ran, as `[start, end]` in a member
/// `ran`; of the others, the second, which is shorter, must have been answered before the first.
fn have_met(first: &Reply, second: &Reply) -> bool {
    let times = |reply: &Reply| -> Option<(f64, f64)> {
        let ran = reply.result()?.get("ran")?;
        Some((ran.get(0).and_then(Value::as_f64)?, ran.get(1).and_then(Value::as_f64)?))
    };
    match (times(first), times(second)) {
        (Some(a), Some(b)) => a.1 > b.0 && b.1 > a.0,
        _ => HEAD_START + second.took + MARGIN <= first.took,
    }
}

//! Two scripts at the same time, on services that can do that.

use std::time::Duration;

use serde_json::Value;

use super::bench::Bench;
use super::judge::Trouble;
use super::reply::Reply;
use super::scenario::{Outcome, Step};

/// How long the second script waits for the first to be under way.
const HEAD_START: Duration = Duration::from_millis(300);

/// By how much the second must have been answered earlier to have run beside the first, not after it.
const MARGIN: Duration = Duration::from_millis(300);

/// Runs both and judges both.
pub async fn both(bench: &Bench, steps: &[Step; 2]) -> Outcome {
    let [first, second] = pair(bench, steps).await?;
    let [a, b] = steps;
    for (step, reply) in [(a, &first), (b, &second)] {
        let circumstances = bench.circumstances(step.timeout);
        step.judge.judge(reply, &circumstances).map_err(Trouble::Broken)?;
    }
    overlapped(&first, &second)
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
fn overlapped(first: &Reply, second: &Reply) -> Outcome {
    let times = |reply: &Reply| -> Option<(f64, f64)> {
        let ran = reply.result()?.get("ran")?;
        Some((ran.get(0).and_then(Value::as_f64)?, ran.get(1).and_then(Value::as_f64)?))
    };
    let apart = match (times(first), times(second)) {
        (Some(a), Some(b)) => a.1 <= b.0 || b.1 <= a.0,
        _ => HEAD_START + second.took + MARGIN > first.took,
    };
    if apart { Err(Trouble::NotApplicable("one job at a time".into())) } else { Ok(()) }
}

//! The scripts and requests of the attack suite.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Disturbance, LINUX, NONE};
use crate::suite::Fallible;
use crate::suite::attack::{self, Bench, Credentials, Drive, Options, Scenario, Target};
use crate::suite::host::Host;

pub fn disturbances() -> Vec<Disturbance> {
    vec![Disturbance {
        name: "attacks",
        purpose: "attacks on the sandbox and the front door",
        excuses: NONE,
        postures: LINUX,
        act: |host, time| Box::pin(attacks(host, time)),
    }]
}

/// Attacks at a time.
const PARALLEL: usize = 3;

/// The time limit of an attack's script, in seconds: honest callers are to have their turns too.
const LIMIT: f64 = 1.5;

/// What the crowd of [`super::crowd`] is too, with a bound on what the service takes for it.
const MADE_ELSEWHERE: &str = "svc-idle-connections";

/// Goes on with the list of all attacks where the last time has stopped.
async fn attacks(host: &Host, time: Duration) -> Fallible<String> {
    let target = Target::http(&format!("http://{}", host.address), Credentials::default())?;
    let bench = Arc::new(Bench::new(target, Options::default()).await?);
    let scenarios: Vec<_> = attack::scenarios().into_iter().filter(|one| one.name != MADE_ELSEWHERE).collect();
    let end = Instant::now() + time * 3;
    let (mut running, mut made) = (JoinSet::new(), 0);
    while Instant::now() < end {
        if running.len() == PARALLEL {
            ended(&mut running).await?;
        }
        let next = host.next_attack.fetch_add(1, Ordering::Relaxed);
        let (bench, scenario) = (Arc::clone(&bench), scenarios[next % scenarios.len()].clone());
        running.spawn(async move { make(&bench, &scenario).await });
        made += 1;
    }
    while !running.is_empty() {
        ended(&mut running).await?;
    }
    let all = host.next_attack.load(Ordering::Relaxed);
    Ok(format!("{made} made, {} of {} so far", all.min(scenarios.len()), scenarios.len()))
}

async fn ended(running: &mut JoinSet<Fallible<()>>) -> Fallible<()> {
    running.join_next().await.map_or(Ok(()), |attack| attack.map_err(|error| error.to_string())?)
}

/// Every script of it must be answered; whether it came to nothing is for the attack suite to say.
async fn make(bench: &Bench, scenario: &Scenario) -> Fallible<()> {
    let steps = match scenario.drive {
        Drive::Scripts(steps) => steps(bench),
        Drive::Together(steps) => steps(bench).to_vec(),
        Drive::Course(course) | Drive::Http(course) => {
            // Some judge times, which others now take from them.
            let _ = course(bench).await;
            return Ok(());
        }
    };
    for mut step in steps {
        step.timeout = step.timeout.min(LIMIT);
        step.fields.as_object_mut().map(|fields| fields.remove("timeout"));
        let reply = bench.send(&step.request(), step.timeout).await;
        let reply = reply.map_err(|words| format!("{}: {words}", scenario.name))?;
        if !matches!(reply.status, 200 | 400 | 413 | 503) {
            return Err(format!("{}: {reply}", scenario.name));
        }
    }
    Ok(())
}

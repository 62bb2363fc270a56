//! Processes of the service are killed.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{BOTH, Disturbance, KILLS, LINUX, NONE};
use crate::suite::Fallible;
use crate::suite::host::{Host, PATIENCE};
use crate::suite::tree::{Tree, is_preloaded};

pub fn disturbances() -> Vec<Disturbance> {
    let kill = |name, purpose, excuses, postures, act| Disturbance { name, purpose, excuses, postures, act };
    vec![
        kill("kill-base", "the base zygote is killed", NONE, BOTH, |host, _| Box::pin(zygotes(host, |kind| !kind))),
        kill("kill-preloaded", "the preloaded zygote is killed", NONE, BOTH, |host, _| {
            Box::pin(zygotes(host, |kind| kind))
        }),
        kill("kill-zygotes", "both zygotes are killed", NONE, BOTH, |host, _| Box::pin(zygotes(host, |_| true))),
        kill("kill-monitors", "monitors are killed at random", NONE, LINUX, |host, time| {
            Box::pin(at_random(host, time, monitors))
        }),
        kill("kill-workers", "workers are killed at random, parked and running", KILLS, BOTH, |host, time| {
            Box::pin(at_random(host, time, workers))
        }),
    ]
}

/// Kills the zygotes for which `wanted` holds, given whether they are preloaded.
async fn zygotes(host: &Host, wanted: fn(bool) -> bool) -> Fallible<String> {
    let tree = host.tree();
    let wanted = tree.zygotes.iter().filter(|pid| wanted(is_preloaded(**pid)));
    let watched: Vec<_> = wanted.filter_map(|pid| tree.watch(*pid)).collect();
    if watched.is_empty() {
        return Err("there is no such zygote".into());
    }
    for zygote in &watched {
        zygote.signal(Signal::KILL);
    }
    let number = watched.len();
    let all_end = move || watched.iter().all(|zygote| zygote.ends_within(PATIENCE));
    // The clients go on meanwhile.
    match tokio::task::spawn_blocking(all_end).await {
        Ok(true) => Ok(format!("{number} killed")),
        _ => Err("a killed zygote has not ended".into()),
    }
}

fn monitors(host: &Host, tree: &Tree) -> Option<u32> {
    host.dice.pick(&tree.monitors).copied()
}

/// One of those that execute as often as one of all.
fn workers(host: &Host, tree: &Tree) -> Option<u32> {
    let running: Vec<u32> = tree.workers.iter().copied().filter(|pid| tree.was_running(*pid)).collect();
    let any = || host.dice.pick(&tree.workers).copied();
    if host.dice.roll(2) == 0 { any() } else { host.dice.pick(&running).copied().or_else(any) }
}

async fn at_random(host: &Host, time: Duration, choose: fn(&Host, &Tree) -> Option<u32>) -> Fallible<String> {
    const PAUSE: Duration = Duration::from_millis(50);
    let (end, mut killed) = (Instant::now() + time, 0);
    while Instant::now() < end {
        let tree = host.tree();
        if let Some(process) = choose(host, &tree).and_then(|pid| tree.watch(pid)) {
            process.signal(Signal::KILL);
            killed += 1;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if killed == 0 { Err("there was nothing to kill".into()) } else { Ok(format!("{killed} killed")) }
}

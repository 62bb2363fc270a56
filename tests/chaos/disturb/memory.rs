//! The host has no memory left for the service, and its kernel ends processes.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Disturbance, KILLS, LINUX, NONE};
use crate::suite::Fallible;
use crate::suite::host::Host;

/// What the service may use more than it does. Two scripts want more than ten times as much.
const ROOM: u64 = 24 << 20;

const HOG: &str = "def main():\n    held = [bytearray(b'x') * (1 << 20) for _ in range(300)]\n    \
                   import time\n    time.sleep(0.2)\n    return len(held)\n";

pub fn disturbances() -> Vec<Disturbance> {
    let lack = |name, purpose, excuses, act| Disturbance { name, purpose, excuses, postures: LINUX, act };
    vec![
        lack("no-memory", "the kernel's OOM killer is called, again and again", KILLS, |host, time| {
            Box::pin(no_memory(host, time))
        }),
        lack("no-fork", "forks fail for want of memory", NONE, |host, time| Box::pin(no_fork(host, time))),
    ]
}

async fn no_fork(host: &Host, time: Duration) -> Fallible<String> {
    let _failing = host.forks.fail();
    let cause = host.unwell("Cannot allocate memory").await?;
    tokio::time::sleep(time).await;
    Ok(cause)
}

async fn no_memory(host: &Host, time: Duration) -> Fallible<String> {
    let _hogs = hogs(host)?;
    if let Some(group) = &host.groups.memory {
        let (limit, before) = (group.usage()? + ROOM, group.kills());
        let _bounded = group.bound(limit)?;
        tokio::time::sleep(time).await;
        let killed = match (before, group.kills()) {
            (Some(before), Some(after)) if before == after => {
                return Err("the kernel has not killed any process".into());
            }
            (Some(before), Some(after)) => (after - before).to_string(),
            _ => "an unknown number".to_owned(),
        };
        return Ok(format!("{killed} killed in a control group of {} MiB", limit >> 20));
    }
    let killed = kill_the_kernels_choice(host, time).await;
    Ok(format!("{killed} processes killed that the kernel would choose, in {:.1} s", time.as_secs_f32()))
}

/// Callers whose scripts take memory as long as this is held. What they are answered is not of interest.
fn hogs(host: &Host) -> Fallible<JoinSet<()>> {
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
    let mut hogs = JoinSet::new();
    for _ in 0..2 {
        let (client, url) = (client.clone(), format!("http://{}/execute", host.address));
        hogs.spawn(async move {
            loop {
                let _ = client.post(&url).json(&json!({ "script": HOG, "timeout": 5 })).send().await;
            }
        });
    }
    Ok(hogs)
}

/// Does what the OOM killer does, where memory cannot be bounded.
async fn kill_the_kernels_choice(host: &Host, time: Duration) -> usize {
    const PAUSE: Duration = Duration::from_millis(100);
    let (end, mut killed) = (Instant::now() + time, 0);
    while Instant::now() < end {
        let tree = host.tree();
        let first = tree.all().into_iter().filter(|pid| *pid != host.service).max_by_key(|pid| badness(*pid));
        if let Some(process) = first.and_then(|pid| tree.watch(pid)) {
            process.signal(Signal::KILL);
            killed += 1;
        }
        tokio::time::sleep(PAUSE).await;
    }
    killed
}

/// The larger, the sooner the kernel ends it (proc_pid_oom_score(5)).
fn badness(pid: u32) -> u32 {
    let score = std::fs::read_to_string(format!("/proc/{pid}/oom_score"));
    score.ok().and_then(|score| score.trim().parse().ok()).unwrap_or(0)
}

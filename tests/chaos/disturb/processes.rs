//! The host has no process id left for the service.

use std::time::Duration;

use super::{Disturbance, LINUX, NONE};
use crate::suite::Fallible;
use crate::suite::host::Host;
use crate::suite::rlimits::{Limit, Lowered};

pub fn disturbances() -> Vec<Disturbance> {
    let lack = |name, purpose, act| Disturbance { name, purpose, excuses: NONE, postures: LINUX, act };
    vec![
        lack("no-processes", "no process can be made until half of those that are there have ended", |host, time| {
            Box::pin(no_processes(host, time, false))
        }),
        lack("no-process", "no process can be made at all", |host, time| Box::pin(no_processes(host, time, true))),
    ]
}

async fn no_processes(host: &Host, time: Duration, at_all: bool) -> Fallible<String> {
    if let Some(group) = &host.groups.pids {
        let limit = if at_all { 1 } else { group.usage()? / 2 };
        let _bounded = group.bound(limit)?;
        let cause = if at_all { host.unwell("Resource temporarily unavailable").await? } else { String::new() };
        tokio::time::sleep(time).await;
        return Ok(format!("control group at {limit} for {:.1} s {cause}", time.as_secs_f32()));
    }
    // One process is fewer than their user has.
    let _lowered = Lowered::new(&host.tree().all(), Limit::Processes, 1)?;
    tokio::time::sleep(time).await;
    Ok(format!("RLIMIT_NPROC at 1 for {:.1} s", time.as_secs_f32()))
}

//! The host has no process id left for the service.

use std::time::Duration;

use super::{Disturbance, LINUX, NONE};
use crate::suite::Fallible;
use crate::suite::host::Host;
use crate::suite::rlimits::{Limit, Lowered};

pub fn disturbances() -> Vec<Disturbance> {
    vec![Disturbance {
        name: "no-processes",
        purpose: "no process can be made until half of those that are there have ended",
        excuses: NONE,
        postures: LINUX,
        act: |host, time| Box::pin(no_processes(host, time)),
    }]
}

async fn no_processes(host: &Host, time: Duration) -> Fallible<String> {
    if let Some(group) = &host.groups.pids {
        let limit = group.usage()? / 2;
        let _bounded = group.bound(limit)?;
        tokio::time::sleep(time).await;
        return Ok(format!("control group at {limit} for {:.1} s", time.as_secs_f32()));
    }
    // One process is fewer than their user has.
    let _lowered = Lowered::new(&host.tree().all(), Limit::Processes, 1)?;
    tokio::time::sleep(time).await;
    Ok(format!("RLIMIT_NPROC at 1 for {:.1} s", time.as_secs_f32()))
}

//! The service's descriptors are used up.

use std::time::Duration;

use rustix::process::Resource;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{BOTH, CONNECTIONS, Disturbance};
use crate::suite::Fallible;
use crate::suite::host::Host;
use crate::suite::rlimits::Lowered;
use crate::suite::tree::descriptors;

pub fn disturbances() -> Vec<Disturbance> {
    let exhaust = |name, purpose, act| Disturbance { name, purpose, excuses: CONNECTIONS, postures: BOTH, act };
    vec![
        exhaust("descriptors", "the service may open no more files than it has", |host, time| {
            Box::pin(no_descriptors(host, time))
        }),
        exhaust("idle-flood", "idle connections take all descriptors that are left", |host, time| {
            Box::pin(idle_flood(host, time))
        }),
    ]
}

fn lower(host: &Host, more: usize) -> Fallible<(usize, Lowered)> {
    let limit = descriptors(host.service) + more;
    Ok((limit, Lowered::new(&[host.service], Resource::Nofile, limit as u64)?))
}

async fn no_descriptors(host: &Host, time: Duration) -> Fallible<String> {
    let (limit, _lowered) = lower(host, 0)?;
    tokio::time::sleep(time).await;
    Ok(format!("at {limit} for {:.1} s", time.as_secs_f32()))
}

async fn idle_flood(host: &Host, time: Duration) -> Fallible<String> {
    /// What is left for connections, and how many try to have it.
    const ROOM: usize = 150;
    const FLOOD: usize = 400;
    const PATIENCE: Duration = Duration::from_secs(1);
    let (limit, _lowered) = lower(host, ROOM)?;
    let mut kept = Vec::with_capacity(FLOOD);
    for _ in 0..FLOOD {
        // The kernel takes those that the service cannot, until its own queue is full too.
        match timeout(PATIENCE, TcpStream::connect(host.address)).await {
            Ok(Ok(stream)) => kept.push(stream),
            Ok(Err(error)) => return Err(format!("no connection: {error}")),
            Err(_) => break,
        }
    }
    tokio::time::sleep(time).await;
    Ok(format!("{} connections, room for {ROOM} at {limit}", kept.len()))
}

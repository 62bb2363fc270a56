//! The service's descriptors are used up.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{BOTH, CONNECTIONS, Disturbance};
use crate::suite::Fallible;
use crate::suite::host::Host;
use crate::suite::rlimits::{Limit, Lowered};
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
    Ok((limit, Lowered::new(&[host.service], Limit::OpenFiles, limit)?))
}

async fn no_descriptors(host: &Host, time: Duration) -> Fallible<String> {
    let (limit, _lowered) = lower(host, 0)?;
    tokio::time::sleep(time).await;
    Ok(format!("at {limit} for {:.1} s", time.as_secs_f32()))
}

/// How many descriptors are left to the service for idle connections, and how many of them there are.
const ROOM: usize = 150;
const CROWD: usize = 400;

/// Connections that say nothing, as long as this is held.
pub async fn crowd(address: SocketAddr) -> Fallible<Vec<TcpStream>> {
    const PATIENCE: Duration = Duration::from_secs(1);
    let mut kept = Vec::with_capacity(CROWD);
    while kept.len() < CROWD {
        // The kernel takes those that the service cannot, until its own queue is full too.
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => kept.push(stream),
            Ok(Err(error)) => return Err(format!("no connection: {error}")),
            Err(_) => break,
        }
    }
    Ok(kept)
}

async fn idle_flood(host: &Host, time: Duration) -> Fallible<String> {
    let (limit, _lowered) = lower(host, ROOM)?;
    let kept = crowd(host.address).await?;
    tokio::time::sleep(time).await;
    Ok(format!("{} connections, room for {ROOM} at {limit}", kept.len()))
}

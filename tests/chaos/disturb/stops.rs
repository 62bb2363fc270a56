//! Zygotes are stopped, and go on later.

use std::time::Duration;

use rustix::process::Signal;

use super::{Disturbance, LINUX, NONE};
use crate::suite::Fallible;
use crate::suite::host::Host;
use crate::suite::process::Watched;
use crate::suite::tree::is_preloaded;

pub fn disturbances() -> Vec<Disturbance> {
    let stop = |name, purpose, act| Disturbance { name, purpose, excuses: NONE, postures: LINUX, act };
    vec![
        stop("stop-base", "the base zygote is stopped when monitors are needed", |host, time| {
            Box::pin(stopped(host, time, false))
        }),
        stop("stop-preloaded", "the preloaded zygote is stopped when monitors are needed", |host, time| {
            Box::pin(stopped(host, time, true))
        }),
    ]
}

/// A stopped process, which goes on when this is dropped.
struct Stopped(Watched);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

async fn stopped(host: &Host, time: Duration, preloaded: bool) -> Fallible<String> {
    let tree = host.tree();
    let zygote = tree.zygotes.iter().find(|pid| is_preloaded(**pid) == preloaded).and_then(|pid| tree.watch(*pid));
    let zygote = Stopped(zygote.ok_or("there is no such zygote")?);
    zygote.0.signal(Signal::STOP);
    // Monitors are used again and again: only when some are lost, the zygote has something to do.
    let lost: Vec<_> = tree.monitors.iter().step_by(2).filter_map(|pid| tree.watch(*pid)).collect();
    for monitor in &lost {
        monitor.signal(Signal::KILL);
    }
    tokio::time::sleep(time).await;
    Ok(format!("for {:.1} s, with {} monitors killed", time.as_secs_f32(), lost.len()))
}

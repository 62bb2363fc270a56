//! The first process of a container inherits every orphan, and has to wait for it (wait(2)), else it stays a zombie. The
//! children that the service knows are waited for by whoever started them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, getpid, waitid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::sys;

/// Signals of several children that end at the same time come as one, and one of ours may hide others for a moment.
const LOOK: Duration = Duration::from_secs(1);

static OURS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Marks a child as one that somebody waits for.
pub fn register(child: Pid) {
    let mut ours = ours();
    // Those that have been waited for are no children any more; their numbers may come to be others'.
    ours.retain(|known| waitid(WaitId::Pid(*known), PEEK).is_ok());
    ours.push(child);
}

/// Reaps orphans as long as the service lives, if it is the first process.
pub async fn run() {
    if !getpid().is_init() {
        return;
    }
    // Without it they are found a little later.
    let mut ended = signal(SignalKind::child()).ok();
    loop {
        while let Some(orphan) = ended_orphan() {
            let _ = waitid(WaitId::Pid(orphan), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
        tokio::select! {
            _ = async { ended.as_mut()?.recv().await }, if ended.is_some() => {}
            () = sleep(LOOK) => {}
        }
    }
}

/// Looks without taking the status away from whoever waits for it.
const PEEK: WaitIdOptions = WaitIdOptions::EXITED.union(WaitIdOptions::NOHANG).union(WaitIdOptions::NOWAIT);

fn ended_orphan() -> Option<Pid> {
    sys::ended_child().filter(|ended| !ours().contains(ended))
}

fn ours() -> MutexGuard<'static, Vec<Pid>> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

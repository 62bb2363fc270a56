//! What is done to a service while honest callers go on: data, as the attacks are.

mod attacks;
mod broken;
mod cuts;
mod descriptors;
mod disk;
mod kills;
mod memory;
mod processes;
mod stops;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::Fallible;
use super::host::{Host, IsolationReport};
use super::ledger::Excuses;
pub use descriptors::crowd;

/// A disturbance on its way; it says what it did. When it is over, everything that it has taken is given back.
pub type Act<'a> = Pin<Box<dyn Future<Output = Fallible<String>> + Send + 'a>>;

/// One thing that can happen to a service.
#[derive(Clone, Copy)]
pub struct Disturbance {
    pub name: &'static str,
    pub purpose: &'static str,
    /// What it explains beside right answers and refusals.
    pub excuses: Excuses,
    /// Where it can be done.
    pub postures: &'static [IsolationReport],
    /// Takes about the time that it is given.
    pub act: for<'a> fn(&'a Host, Duration) -> Act<'a>,
}

/// Of nothing: every honest caller must be served, or refused cleanly.
const NONE: Excuses = Excuses { connections: false, kills: false, space: false };

/// The service has no descriptor for a connection.
const CONNECTIONS: Excuses = Excuses { connections: true, ..NONE };

/// The host kills scripts.
const KILLS: Excuses = Excuses { kills: true, ..NONE };

/// The host has no space for the files of scripts.
const SPACE: Excuses = Excuses { space: true, ..NONE };

/// Without PID namespaces, the service ends on purpose when a monitor dies: nothing else vouches for what it guarded. So monitors
/// are killed, also by a lack of processes or memory, on a Linux machine only.
const LINUX: &[IsolationReport] = &[IsolationReport::Linux];
const BOTH: &[IsolationReport] = &[IsolationReport::Linux, IsolationReport::Container];

pub fn disturbances() -> Vec<Disturbance> {
    [
        kills::disturbances(),
        stops::disturbances(),
        descriptors::disturbances(),
        disk::disturbances(),
        processes::disturbances(),
        broken::disturbances(),
        memory::disturbances(),
        cuts::disturbances(),
        attacks::disturbances(),
    ]
    .concat()
}

//! The attacks as a product: hostile programs and requests, run against any deployment from outside, and judged by
//! the promises that they try to break.
//!
//! Nothing here assumes that the service runs on the same machine. What must be seen from there, such as a listener
//! that hears nothing, is in `tests/http/attacks`.
#![allow(dead_code, unused_imports, reason = "each program that includes this module uses its own part of it")]

mod bench;
mod bounds;
mod concurrent;
mod curl;
mod drive;
mod files;
mod forgery;
mod front_door;
mod hidden;
mod host;
mod judge;
mod kernel;
mod leftovers;
mod network;
mod processes;
mod raw;
mod reply;
mod report;
mod resources;
mod scenario;
mod secrets;
mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use bench::Bench;
pub use report::{Report, Row, Verdict};
pub use scenario::{Drive, Kind, Promise, Scenario};
pub use target::{Credentials, Target};

/// The source of a program in `programs`.
macro_rules! program {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attack/programs/", $name, ".py"))
    };
}
use program;

/// How a suite is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only scenarios whose name contains this.
    pub only: Option<String>,
    /// Short scenarios that run at the same time; those whose measurement that would spoil run alone anyway.
    pub parallel: usize,
    /// What any answer may take beyond the script's own time. Hosts differ by a factor of ten.
    pub slack: Duration,
    /// The service confines nothing: leave out what would hurt its machine, name no address but loopback ones, and no
    /// place but the working directory.
    pub unconfined: bool,
    /// Show on a terminal, which is standard error, how far it is.
    pub progress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { only: None, parallel: 2, slack: Duration::from_secs(20), unconfined: false, progress: false }
    }
}

impl Options {
    fn wants(&self, scenario: &Scenario) -> bool {
        let named = self.only.as_deref().is_none_or(|pattern| scenario.name.contains(pattern));
        named && !(self.unconfined && scenario.destructive)
    }
}

/// Every scenario, by promise.
pub fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = [
        network::scenarios(),
        files::scenarios(),
        processes::scenarios(),
        kernel::scenarios(),
        secrets::scenarios(),
        bounds::scenarios(),
        resources::scenarios(),
        hidden::scenarios(),
        leftovers::scenarios(),
        forgery::scenarios(),
        front_door::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_by_key(|scenario| scenario.promise);
    all
}

/// Runs the suite. An error means that there is no service to attack.
pub async fn run(target: Target, options: &Options) -> Result<Report, String> {
    let bench = Arc::new(Bench::new(target, options.clone()).await?);
    let wanted = scenarios().into_iter().filter(|scenario| options.wants(scenario)).enumerate();
    let (alone, short): (Vec<_>, Vec<_>) = wanted.partition(|(_, scenario)| scenario.runs_alone());
    let mut rows = at_the_same_time(&bench, short).await;
    for (number, scenario) in alone {
        rows.push((number, one(&bench, &scenario).await));
    }
    rows.sort_by_key(|(number, _)| *number);
    Ok(Report::new(bench.host.clone(), rows.into_iter().map(|(_, row)| row).collect()))
}

async fn at_the_same_time(bench: &Arc<Bench>, scenarios: Vec<(usize, Scenario)>) -> Vec<(usize, Row)> {
    let turns = Arc::new(Semaphore::new(bench.parallel()));
    let mut running = JoinSet::new();
    for (number, scenario) in scenarios {
        let (bench, turns) = (Arc::clone(bench), Arc::clone(&turns));
        running.spawn(async move {
            let _turn = turns.acquire().await.expect("the semaphore is never closed");
            (number, one(&bench, &scenario).await)
        });
    }
    running.join_all().await
}

/// One scenario; that the service is as before is part of what is judged.
async fn one(bench: &Bench, scenario: &Scenario) -> Row {
    let start = Instant::now();
    let mut outcome = drive::drive(bench, scenario).await;
    if let Err(words) = bench.is_well().await {
        let before = outcome.err().map(|trouble| format!("{trouble}; ")).unwrap_or_default();
        outcome = Err(judge::Trouble::Broken(format!("{before}afterwards, a plain script: {words}")));
    }
    let row = Row::new(scenario, outcome, start.elapsed());
    if bench.options.progress {
        eprint!("\r\x1b[K  {} {}", row.word(), row.name);
    }
    row
}

//! The service under disturbances: its processes are killed and stopped, its host runs out of what it needs, its clients
//! leave, its scripts attack, while honest callers go on and every one of their answers is judged.
#![allow(dead_code, reason = "each program that includes this module uses its own part of it")]

#[path = "../attack/suite.rs"]
mod attack;
mod disturb;
mod footprint;
mod groups;
mod honest;
mod host;
mod judge;
mod ledger;
#[path = "../support/listening.rs"]
mod listening;
mod load;
mod place;
#[path = "../support/process.rs"]
mod process;
mod report;
mod rlimits;
#[path = "../support/tree.rs"]
mod tree;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use disturb::disturbances;
pub use report::{Report, Served};

use disturb::Disturbance;
use host::{Host, Posture};
use ledger::{Excuses, Ledger};
use load::Load;
use place::Place;

/// What keeps the suite from going on, in words.
pub type Fallible<T> = Result<T, String>;

/// How the service is disturbed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// For how long; each disturbance is made once however little that is.
    pub time: Duration,
    /// How long one disturbance lasts.
    pub hold: Duration,
    /// Honest clients at a time.
    pub clients: usize,
    /// Only disturbances whose name contains this.
    pub only: Option<String>,
    /// What chance is made of.
    pub seed: u64,
}

impl Plan {
    /// Once around, as fast as that means something.
    pub fn short(seed: u64) -> Self {
        Self { time: Duration::ZERO, hold: Duration::from_millis(1200), clients: 4, only: None, seed }
    }

    /// Again and again.
    pub fn long(time: Duration, seed: u64) -> Self {
        Self { time, hold: Duration::from_secs(4), ..Self::short(seed) }
    }

    fn disturbances(&self, posture: Posture) -> Vec<Disturbance> {
        let wants = |name: &str| self.only.as_deref().is_none_or(|pattern| name.contains(pattern));
        let here = disturbances().into_iter();
        here.filter(|one| one.postures.contains(&posture) && wants(one.name)).collect()
    }
}

/// What any recovery may take before it counts as none. An idle machine needs less than a second.
const RECOVERY_BOUND: Duration = Duration::from_secs(10);

/// Undisturbed traffic before the first disturbance and after each.
const QUIET: Duration = Duration::from_millis(400);
const WARM_UP: Duration = Duration::from_secs(2);

const UNDISTURBED: &str = "(undisturbed)";

/// Runs the whole suite. An error means that there was no service to disturb, or nothing to disturb it with.
pub async fn run(plan: &Plan) -> Fallible<Report> {
    allow_many_connections()?;
    let place = Place::find()?;
    let mut served = Vec::new();
    // The container has few disturbances of its own.
    for (posture, part) in [(Posture::Linux, 5), (Posture::Container, 1)] {
        let disturbances = plan.disturbances(posture);
        if !disturbances.is_empty() {
            served.push(serve(&place, posture, plan, &disturbances, plan.time * part / 6).await?);
        }
    }
    if served.is_empty() { Err("no disturbance has such a name".into()) } else { Ok(Report::new(served, plan.seed)) }
}

/// One service, disturbed for this time.
async fn serve(
    place: &Place,
    posture: Posture,
    plan: &Plan,
    disturbances: &[Disturbance],
    time: Duration,
) -> Fallible<Served> {
    let begun = Instant::now();
    let (host, ledger) = (Host::start(place, posture, plan.seed)?, Arc::new(Ledger::default()));
    say(&format!("{}: {} disturbances, control groups: {}", posture.name(), disturbances.len(), host.groups.words()));
    traffic(host.address, plan.clients, &ledger, WARM_UP).await?;
    let mut before = footprint::footprint(&host).await?;
    let mut end = before.clone();
    let mut rounds = 0;
    while rounds == 0 || begun.elapsed() < time {
        round(&host, plan, disturbances, &ledger, (rounds > 0).then_some(begun + time)).await?;
        end = footprint::footprint(&host).await?;
        rounds += 1;
        // What the service needs for such things at all, it may keep.
        if rounds == 1 && begun.elapsed() < time {
            before.clone_from(&end);
        }
    }
    let changes = footprint::changes(before, end);
    Ok(Served { posture: posture.name(), groups: host.groups.words(), rounds, rows: ledger.rows(), evidence: ledger.evidence(), changes })
}

/// Every disturbance once, or as many as there is time for.
async fn round(
    host: &Host,
    plan: &Plan,
    disturbances: &[Disturbance],
    ledger: &Arc<Ledger>,
    deadline: Option<Instant>,
) -> Fallible<()> {
    ledger.begin(UNDISTURBED, Excuses::default());
    let load = Load::start(host.address, plan.clients, ledger)?;
    tokio::time::sleep(QUIET).await;
    for disturbance in disturbances {
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            break;
        }
        disturb(host, plan, disturbance, ledger).await?;
    }
    load.stop().await;
    Ok(())
}

/// One disturbance, until all is as before.
async fn disturb(host: &Host, plan: &Plan, disturbance: &Disturbance, ledger: &Arc<Ledger>) -> Fallible<()> {
    let blame = |words: String| format!("{}: {}: {words}", host.posture.name(), disturbance.name);
    ledger.begin(disturbance.name, disturbance.excuses);
    let note = (disturbance.act)(host, plan.hold).await.map_err(blame)?;
    let recoveries = load::recovery(host.address, ledger, RECOVERY_BOUND * 3).await?;
    let slowest = recoveries.iter().map(|(_, time)| *time).max().unwrap_or_default();
    say(&format!("{}: {note}; recovered in {:.2} s", disturbance.name, slowest.as_secs_f32()));
    ledger.recovered(note, recoveries);
    host.is_alive().map_err(blame)?;
    ledger.begin(UNDISTURBED, Excuses::default());
    tokio::time::sleep(QUIET).await;
    Ok(())
}

/// Undisturbed traffic for this time.
async fn traffic(address: SocketAddr, clients: usize, ledger: &Arc<Ledger>, time: Duration) -> Fallible<()> {
    ledger.begin(UNDISTURBED, Excuses::default());
    let load = Load::start(address, clients, ledger)?;
    tokio::time::sleep(time).await;
    load.stop().await;
    Ok(())
}

/// What a service at this address answers to honest callers in this time.
pub async fn watch(address: SocketAddr, time: Duration) -> Fallible<Report> {
    let ledger = Arc::new(Ledger::default());
    traffic(address, 2, &ledger, time).await?;
    Ok(Report::new(vec![Served { rows: ledger.rows(), evidence: ledger.evidence(), ..Served::default() }], 0))
}

/// As many as this process may have: it holds one end of every connection.
fn allow_many_connections() -> Fallible<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).map_err(|error| format!("open files: {error}"))
}

/// Progress.
fn say(words: &str) {
    eprintln!("chaos: {words}");
}

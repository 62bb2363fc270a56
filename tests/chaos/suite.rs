//! The service under disturbances: its processes are killed and stopped, its host runs out of what it needs, its clients
//! leave, its scripts attack, while honest callers go on and every one of their answers is judged.
#![allow(dead_code, reason = "each program that includes this module uses its own part of it")]

#[path = "../attack/suite.rs"]
mod attack;
mod disturb;
mod footprint;
mod forks;
mod groups;
mod honest;
mod host;
mod judge;
mod ledger;
#[path = "../filter/listener.rs"]
mod listener;
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

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use disturb::disturbances;
pub use report::{Report, Served};

use disturb::Disturbance;
use footprint::{changes, footprint};
use host::{Host, IsolationReport};
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
    /// Where the service's log is kept.
    pub log: Option<PathBuf>,
}

impl Plan {
    /// Once around, as fast as that means something.
    pub fn short(seed: u64) -> Self {
        Self { time: Duration::ZERO, hold: Duration::from_millis(1200), clients: 4, only: None, seed, log: None }
    }

    /// Again and again.
    pub fn long(time: Duration, seed: u64) -> Self {
        // Longer than the service waits for a zygote that does not answer.
        Self { time, hold: Duration::from_secs(6), ..Self::short(seed) }
    }

    fn log(&self) -> Fallible<Option<File>> {
        let open = |path: &PathBuf| File::options().create(true).append(true).open(path);
        self.log.as_ref().map(open).transpose().map_err(|error| format!("the log: {error}"))
    }

    fn disturbances(&self, posture: IsolationReport) -> Vec<Disturbance> {
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
    for (posture, part) in [(IsolationReport::Linux, 5), (IsolationReport::Container, 1)] {
        let disturbances = plan.disturbances(posture);
        if !disturbances.is_empty() {
            served.push(serve(&place, posture, plan, &disturbances, plan.time * part / 6).await?);
        }
    }
    if served.is_empty() { Err("no disturbance has such a name".into()) } else { Ok(Report::new(served, plan.seed)) }
}

/// One service that is disturbed.
struct Course<'a> {
    plan: &'a Plan,
    disturbances: &'a [Disturbance],
    host: Host,
    ledger: Arc<Ledger>,
    begun: Instant,
    /// For how long it is to be disturbed.
    time: Duration,
}

/// Starts a service and disturbs it for this time, or until it fails for good.
async fn serve(
    place: &Place,
    posture: IsolationReport,
    plan: &Plan,
    disturbances: &[Disturbance],
    time: Duration,
) -> Fallible<Served> {
    let begun = Instant::now();
    let host = Host::start(place, posture, plan.seed, plan.log()?)?;
    say(&format!("{}: {} disturbances; {}", posture.name(), disturbances.len(), host.groups.words()));
    let course = Course { plan, disturbances, host, ledger: Arc::default(), begun, time };
    let mut served = Served { posture: posture.name(), groups: course.host.groups.words(), ..Served::default() };
    served.failure = course.run(&mut served).await.err();
    (served.rows, served.evidence) = (course.ledger.rows(), course.ledger.evidence());
    Ok(served)
}

impl Course<'_> {
    /// An error is what the service, or what disturbs it, must not do.
    async fn run(&self, served: &mut Served) -> Fallible<()> {
        traffic(self.host.address, self.plan.clients, &self.ledger, WARM_UP).await?;
        // What the service needs for so many connections at all, it may keep.
        drop(disturb::crowd(self.host.address).await?);
        let mut before = footprint(&self.host).await?;
        while served.rounds == 0 || self.is_time_left() {
            self.round(served.rounds > 0).await?;
            served.rounds += 1;
            let after = footprint(&self.host).await?;
            served.changes = changes(&before, &after);
            // The same of all else that is done to it.
            if served.rounds == 1 && self.is_time_left() {
                before = after;
            }
        }
        Ok(())
    }

    fn is_time_left(&self) -> bool {
        self.begun.elapsed() < self.time
    }

    /// Every disturbance once, or as many as there is time for.
    async fn round(&self, may_end_early: bool) -> Fallible<()> {
        self.ledger.begin(UNDISTURBED, Excuses::default());
        let load = Load::start(self.host.address, self.plan.clients, &self.ledger)?;
        tokio::time::sleep(QUIET).await;
        for disturbance in self.disturbances {
            if may_end_early && !self.is_time_left() {
                break;
            }
            self.disturb(disturbance).await.map_err(|words| format!("{}: {words}", disturbance.name))?;
        }
        load.stop().await;
        Ok(())
    }

    /// One disturbance, until all is as before.
    async fn disturb(&self, disturbance: &Disturbance) -> Fallible<()> {
        self.ledger.begin(disturbance.name, disturbance.excuses);
        let note = (disturbance.act)(&self.host, self.plan.hold).await?;
        let recoveries = load::recovery(self.host.address, &self.ledger, RECOVERY_BOUND * 3).await?;
        let slowest = recoveries.iter().map(|(_, time)| *time).max().unwrap_or_default();
        say(&format!("{}: {note}; recovered in {:.2} s", disturbance.name, slowest.as_secs_f32()));
        self.ledger.recovered(note, recoveries);
        self.host.is_alive()?;
        self.ledger.begin(UNDISTURBED, Excuses::default());
        tokio::time::sleep(QUIET).await;
        Ok(())
    }
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

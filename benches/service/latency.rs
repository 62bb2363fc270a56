//! How long one client waits for one answer.

use std::time::Duration;

use crate::cases::{self, Case};
use crate::http::get;
use crate::paths::Paths;
use crate::results::{Latency, Results};
use crate::runner::{Runner, interleave};
use crate::target::Target;
use crate::{Fallible, SERVICE, say};

/// Of each comparison. The time binds where the machine is busy.
const ROUNDS: usize = 12;
const BUDGET: Duration = Duration::from_secs(20);

/// Names of the yardsticks, by which targets find them.
pub const FLASK: &str = "Flask, exec() in process";
pub const PLAIN: &str = "the script in a process (runtime's Python)";
pub const BUBBLEWRAP: &str = "the script in bwrap --unshare-all";
pub const NOTHING: &str = "python3 -I -S -c pass";
pub const NOTHING_RUNTIME: &str = "python3 -I -S -c pass (runtime's)";
pub const START: &str = "python3 -I -c pass";
pub const START_RUNTIME: &str = "python3 -I -c pass (runtime's)";
pub const IMPORT: &str = "python3 -c 'import numpy, pandas' (runtime's)";
pub const AWSLAMBDARIC: &str = "awslambdaric, exec() in process";
pub const LAMBDA: &str = "Lambda";

/// Who answers over HTTP.
pub struct Doors<'a> {
    pub service: &'a Target,
    pub flask: Option<&'a Target>,
}

/// How often each runs in a round: the service, Flask, and processes.
struct Runs(usize, usize, usize);

pub async fn measure(place: &Paths, doors: &Doors<'_>, cpu: &Case, results: &mut Results) -> Fallible<()> {
    let basic = cases::basic();
    let mut runners = usual(place, doors, &basic, &Runs(150, 100, 4), results).await?;
    runners.push(Runner::request("service, GET /", 150, doors.service, get("/")).await?);
    for (name, command) in pythons(place) {
        runners.push(Runner::silent(name, 5, command).await?);
    }
    compete("basic", &mut runners, results).await?;

    let pandas = cases::pandas();
    let mut runners = usual(place, doors, &pandas, &Runs(100, 50, 1), results).await?;
    runners.push(Runner::silent(IMPORT, 1, place.runtimes_python(&["-c", "import numpy, pandas"])).await?);
    compete("pandas", &mut runners, results).await?;

    for (case, runs) in [(cpu, Runs(5, 2, 4)), (&cases::output(), Runs(12, 12, 1)), (&cases::matmul(), Runs(8, 4, 3))] {
        let mut runners = usual(place, doors, case, &runs, results).await?;
        compete(case.name, &mut runners, results).await?;
    }
    Ok(())
}

/// The Lambda binary and its rival, each under an emulator of its own.
pub async fn measure_lambda(place: &Paths, results: &mut Results) -> Fallible<()> {
    say("latency: Lambda");
    let (ours, theirs) = (Target::lambda(place), Target::awslambdaric(place)?);
    for case in [cases::basic(), cases::pandas()] {
        let mut runners = vec![Runner::served(SERVICE, 50, &ours, &case).await?];
        match Runner::served(AWSLAMBDARIC, 50, &theirs, &case).await {
            Ok(runner) => runners.push(runner),
            Err(words) => results.note(format!("{AWSLAMBDARIC}: {words}")),
        }
        compete(&lambda(case.name), &mut runners, results).await?;
    }
    Ok(())
}

/// The name of a case on Lambda.
pub fn lambda(case: &str) -> String {
    format!("{LAMBDA}, {case}")
}

/// Each yardstick process that does nothing.
pub fn pythons(place: &Paths) -> [(&'static str, std::process::Command); 4] {
    let (nothing, start) = (["-I", "-S", "-c", "pass"], ["-I", "-c", "pass"]);
    [
        (NOTHING, place.machines_python(&nothing)),
        (NOTHING_RUNTIME, place.runtimes_python(&nothing)),
        (START, place.machines_python(&start)),
        (START_RUNTIME, place.runtimes_python(&start)),
    ]
}

/// All who can run a script.
async fn usual(
    place: &Paths,
    doors: &Doors<'_>,
    case: &Case,
    Runs(service, flask, processes): &Runs,
    results: &mut Results,
) -> Fallible<Vec<Runner>> {
    say(&format!("latency: {}", case.name));
    let mut runners = vec![Runner::served(SERVICE, *service, doors.service, case).await?];
    if let Some(served) = doors.flask {
        runners.push(Runner::served(FLASK, *flask, served, case).await?);
    }
    runners.push(Runner::process(PLAIN, *processes, place.plain(&case.script), case).await?);
    match place.bubblewrap(&case.script) {
        None => results.note("bubblewrap is not installed"),
        Some(command) => match Runner::process(BUBBLEWRAP, *processes, command, case).await {
            Ok(runner) => runners.push(runner),
            Err(words) => results.note(words),
        },
    }
    Ok(runners)
}

async fn compete(case: &str, runners: &mut [Runner], results: &mut Results) -> Fallible<()> {
    interleave(runners, ROUNDS, BUDGET).await?;
    results.latency.extend(Latency::of(case, runners));
    Ok(())
}

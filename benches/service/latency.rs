//! How long one client waits for one answer.

use std::time::Duration;

use crate::cases::{self, Case};
use crate::contender::{Contender, interleave};
use crate::http::get;
use crate::place::Place;
use crate::results::{Latency, Results};
use crate::served::Served;
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
    pub service: &'a Served,
    pub flask: Option<&'a Served>,
}

/// How often each runs in a round: the service, Flask, and processes.
struct Runs(usize, usize, usize);

pub async fn measure(place: &Place, doors: &Doors<'_>, cpu: &Case, results: &mut Results) -> Fallible<()> {
    let basic = cases::basic();
    let mut contenders = usual(place, doors, &basic, &Runs(150, 100, 4), results).await?;
    contenders.push(Contender::request("service, GET /", 150, doors.service, get("/")).await?);
    for (name, command) in pythons(place) {
        contenders.push(Contender::silent(name, 5, command).await?);
    }
    compete("basic", &mut contenders, results).await?;

    let pandas = cases::pandas();
    let mut contenders = usual(place, doors, &pandas, &Runs(100, 50, 1), results).await?;
    contenders.push(Contender::silent(IMPORT, 1, place.runtimes_python(&["-c", "import numpy, pandas"])).await?);
    compete("pandas", &mut contenders, results).await?;

    for (case, runs) in [(cpu, Runs(5, 2, 4)), (&cases::output(), Runs(12, 12, 1)), (&cases::matmul(), Runs(8, 4, 3))] {
        let mut contenders = usual(place, doors, case, &runs, results).await?;
        compete(case.name, &mut contenders, results).await?;
    }
    Ok(())
}

/// The Lambda binary and its rival, each under an emulator of its own.
pub async fn measure_lambda(place: &Place, results: &mut Results) -> Fallible<()> {
    say("latency: Lambda");
    let (ours, theirs) = (Served::lambda(place), Served::awslambdaric(place)?);
    for case in [cases::basic(), cases::pandas()] {
        let mut contenders = vec![Contender::served(SERVICE, 50, &ours, &case).await?];
        match Contender::served(AWSLAMBDARIC, 50, &theirs, &case).await {
            Ok(contender) => contenders.push(contender),
            Err(words) => results.note(format!("{AWSLAMBDARIC}: {words}")),
        }
        compete(&lambda(case.name), &mut contenders, results).await?;
    }
    Ok(())
}

/// The name of a case on Lambda.
pub fn lambda(case: &str) -> String {
    format!("{LAMBDA}, {case}")
}

/// Each yardstick process that does nothing.
pub fn pythons(place: &Place) -> [(&'static str, std::process::Command); 4] {
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
    place: &Place,
    doors: &Doors<'_>,
    case: &Case,
    Runs(service, flask, processes): &Runs,
    results: &mut Results,
) -> Fallible<Vec<Contender>> {
    say(&format!("latency: {}", case.name));
    let mut contenders = vec![Contender::served(SERVICE, *service, doors.service, case).await?];
    if let Some(served) = doors.flask {
        contenders.push(Contender::served(FLASK, *flask, served, case).await?);
    }
    contenders.push(Contender::process(PLAIN, *processes, place.plain(&case.script), case).await?);
    match place.bubblewrap(&case.script) {
        None => results.note("bubblewrap is not installed"),
        Some(command) => match Contender::process(BUBBLEWRAP, *processes, command, case).await {
            Ok(contender) => contenders.push(contender),
            Err(words) => results.note(words),
        },
    }
    Ok(contenders)
}

async fn compete(case: &str, contenders: &mut [Contender], results: &mut Results) -> Fallible<()> {
    interleave(contenders, ROUNDS, BUDGET).await?;
    results.latency.extend(Latency::of(case, contenders));
    Ok(())
}

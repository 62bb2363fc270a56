//! Measures the service beside yardsticks that run in turns with it.
//!
//! ```text
//! make bench
//! make soak SECONDS=600
//! ```

#![allow(clippy::cast_precision_loss, reason = "figures are rounded anyway")]

mod cases;
mod commands;
mod fairness;
mod http;
mod latency;
mod leaks;
mod machine;
mod memory;
mod paths;
#[path = "../../tests/support/process.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod process;
mod report;
mod results;
mod runner;
mod sizes;
mod start;
mod stats;
mod target;
mod targets;
mod throughput;
#[path = "../../tests/support/tree.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod tree;
mod v1_run;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use latency::Doors;
use leaks::Footprint;
use paths::Paths;
use results::Results;
use target::Target;

const USAGE: &str = "\
usage: bench [--json FILE] [--only PART]... | bench --soak SECONDS

  --json FILE     write all figures there
  --only PART     latency, rich, lambda, throughput, fairness, start, memory or sizes; all of them if none is named
  --soak SECONDS  full load for that time, and whether anything of it stays

Ends with 0 when everything was measured, whatever the figures; with --soak, with 1 if something grew.";

/// What can go wrong here goes wrong for good, and is told in words.
type Fallible<T> = Result<T, String>;

/// Our own name in every comparison.
const SERVICE: &str = "service";

#[derive(Default)]
struct Arguments {
    json: Option<PathBuf>,
    only: Vec<String>,
    soak: Option<u64>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Fallible<Self> {
        let mut parsed = Self::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n\n{USAGE}"));
            match word.as_str() {
                "--json" => parsed.json = Some(value()?.into()),
                "--only" => parsed.only.push(value()?),
                "--soak" => parsed.soak = Some(value()?.parse().map_err(|_| "SECONDS is a whole number")?),
                _ => return Err(format!("unknown option {word}\n\n{USAGE}")),
            }
        }
        Ok(parsed)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == part)
    }
}

/// One thread: clients must not take from the service what it is measured with.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match bench().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(words) => {
            eprintln!("bench: {words}");
            ExitCode::from(2)
        }
    }
}

async fn bench() -> Fallible<bool> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let (place, begun) = (Paths::find()?, Instant::now());
    let mut results = Results { machine: machine::describe(), ..Results::default() };
    let cpu = cases::cpu(machine::rounds_of_50_ms(&place)?);
    if let Some(seconds) = arguments.soak {
        leaks::soak(&place, &cpu, seconds, &mut results).await?;
        print!("{}", report::leaks(&results));
        return Ok(results.leaks.iter().all(results::Leak::is_none));
    }
    measure(&arguments, &place, &cpu, &mut results).await?;
    results.targets = targets::judge(&results);
    // What nobody wanted to know is not missing.
    results.targets.retain(|target| target.figure.is_some() || arguments.only.is_empty());
    results.machine.seconds = begun.elapsed().as_secs_f64();
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&results).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    }
    print!("{}", report::all(&results));
    Ok(true)
}

async fn measure(arguments: &Arguments, place: &Paths, cpu: &cases::Case, results: &mut Results) -> Fallible<()> {
    if arguments.wants("start") {
        start::measure(place, results).await?;
    }
    if arguments.wants("memory") {
        memory::measure(place, results).await?;
    }
    if arguments.wants("lambda") {
        latency::measure_lambda(place, results).await?;
    }
    let at_the_door = ["latency", "rich", "sizes", "throughput", "fairness"];
    if at_the_door.iter().any(|part| arguments.wants(part)) {
        let (service, flask) = (Target::service(place, &[]), flask(place, results).await?);
        let doors = Doors { service: &service, flask: flask.as_ref() };
        at_the_doors(arguments, place, &doors, cpu, results).await?;
    }
    Ok(())
}

/// None, with a note, when it does not run here.
async fn flask(place: &Paths, results: &mut Results) -> Fallible<Option<Target>> {
    let flask = Target::flask(place)?;
    match flask.run(&cases::basic()).await {
        Ok(_) => Ok(Some(flask)),
        Err(words) => {
            results.note(format!("Flask: {words}"));
            Ok(None)
        }
    }
}

async fn at_the_doors(
    arguments: &Arguments,
    place: &Paths,
    doors: &Doors<'_>,
    cpu: &cases::Case,
    results: &mut Results,
) -> Fallible<()> {
    if arguments.wants("latency") {
        latency::measure(place, doors, cpu, results).await?;
    }
    if arguments.wants("rich") {
        v1_run::measure(doors.service, results).await?;
    }
    if arguments.wants("sizes") {
        sizes::measure(place, doors, results).await?;
    }
    if arguments.wants("throughput") {
        // What the service needs for so many connections at all, it may keep.
        throughput::window(SERVICE, doors.service, &cases::output(), 256, Duration::from_secs(2)).await?;
        let before = Footprint::of(doors.service).await?;
        throughput::measure(place, doors, cpu, results).await?;
        results.leaks = before.until(Footprint::of(doors.service).await?);
    }
    if arguments.wants("fairness") {
        fairness::measure(doors.service, cpu, results).await?;
    }
    Ok(())
}

/// Progress.
fn say(words: &str) {
    eprintln!("bench: {words}");
}

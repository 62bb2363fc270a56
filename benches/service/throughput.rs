//! How much gets done: closed-loop clients, each of which sends its next script when it has the answer to its last.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::cases::{self, Case};
use crate::http::Connection;
use crate::latency::{Doors, FLASK, IMPORT, NOTHING, NOTHING_RUNTIME};
use crate::paths::Paths;
use crate::results::{Results, Throughput};
use crate::target::Target;
use crate::{Fallible, SERVICE, say};

const CLIENTS: [usize; 4] = [1, 8, 64, 256];
const WINDOW: Duration = Duration::from_millis(1300);

/// One that imports pandas takes a good part of a second.
const LONG_WINDOW: Duration = Duration::from_secs(3);

/// The yardsticks run between the service's windows, and everything runs this often.
const ROUNDS: usize = 2;

/// One loop of processes for each processor.
pub const LOOPS: usize = 2;

pub async fn measure(place: &Paths, doors: &Doors<'_>, cpu: &Case, results: &mut Results) -> Fallible<()> {
    let all = [cases::basic(), cases::pandas(), cpu.clone(), cases::output(), cases::matmul()];
    for round in 1..=ROUNDS {
        for case in &all {
            say(&format!("throughput: {}, {round} of {ROUNDS}", case.name));
            for clients in CLIENTS {
                results.throughput.push(window(SERVICE, doors.service, case, clients, WINDOW).await?);
            }
            if let Some(flask) = doors.flask {
                results.throughput.push(window(FLASK, flask, case, 8, WINDOW).await?);
            }
            yardsticks(place, case.name, results)?;
        }
    }
    Ok(())
}

fn yardsticks(place: &Paths, case: &'static str, results: &mut Results) -> Fallible<()> {
    let nothing: &[&str] = &["-I", "-S", "-c", "pass"];
    match case {
        "basic" => {
            results.throughput.push(loops(NOTHING, case, WINDOW, || place.machines_python(nothing))?);
            results.throughput.push(loops(NOTHING_RUNTIME, case, WINDOW, || place.runtimes_python(nothing))?);
        }
        "pandas" => {
            let import: &[&str] = &["-c", "import numpy, pandas"];
            results.throughput.push(loops(IMPORT, case, LONG_WINDOW, || place.runtimes_python(import))?);
        }
        _ => {}
    }
    Ok(())
}

#[derive(Default)]
struct Tally {
    served: usize,
    refused: usize,
}

/// Full load on one that listens, for a while.
pub async fn window(who: &str, served: &Target, case: &Case, clients: usize, window: Duration) -> Fallible<Throughput> {
    let request = Arc::new(served.request(case));
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(served.connect().await?);
    }
    let end = Instant::now() + window;
    let mut running = JoinSet::new();
    for connection in connections {
        running.spawn(client(connection, Arc::clone(&request), end));
    }
    let mut sum = Tally::default();
    while let Some(tally) = running.join_next().await {
        let tally = tally.map_err(|error| error.to_string())?.map_err(|words| served.blame(&words))?;
        sum.served += tally.served;
        sum.refused += tally.refused;
    }
    // What was under way is over when another script has its answer.
    served.run(&cases::basic()).await?;
    Ok(Throughput {
        case: case.name.to_owned(),
        who: who.to_owned(),
        clients,
        per_second: sum.served as f64 / window.as_secs_f64(),
        refused: sum.refused,
    })
}

async fn client(mut connection: Connection, request: Arc<Vec<u8>>, end: Instant) -> Fallible<Tally> {
    let mut tally = Tally::default();
    while let Ok(answered) = timeout_at(end, connection.ask(&request)).await {
        match answered.map_err(|error| error.to_string())? {
            200 => tally.served += 1,
            503 => tally.refused += 1,
            status => return Err(format!("{status} {}", String::from_utf8_lossy(connection.body()))),
        }
    }
    Ok(tally)
}

/// Processes, one after the other in each loop, and a loop for each processor.
fn loops(who: &str, case: &str, window: Duration, command: impl Fn() -> Command + Sync) -> Fallible<Throughput> {
    let one = || -> Fallible<f64> {
        let (begun, mut ended) = (std::time::Instant::now(), 0.0);
        while begun.elapsed() < window {
            let status = command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.ok().filter(std::process::ExitStatus::success).ok_or_else(|| format!("{who} fails"))?;
            ended += 1.0;
        }
        Ok(ended / begun.elapsed().as_secs_f64())
    };
    let rates: Vec<Fallible<f64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..LOOPS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a loop has panicked".into()))).collect()
    });
    let per_second = rates.into_iter().sum::<Fallible<f64>>()?;
    Ok(Throughput { case: case.to_owned(), who: who.to_owned(), clients: LOOPS, per_second, refused: 0 })
}

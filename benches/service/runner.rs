//! Whatever takes part in a comparison, and comparisons in which all take turns: what disturbs the machine meanwhile
//! disturbs all of them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::Fallible;
use crate::cases::Case;
use crate::http::Connection;
use crate::stats::Samples;
use crate::target::Target;

/// One who runs the same thing again and again.
pub struct Runner {
    pub name: String,
    /// Runs in each round.
    runs: usize,
    way: Way,
    case: Option<Case>,
    /// Seconds that each run took, as its caller saw it.
    pub walls: Samples,
    /// Seconds that the script itself says it took.
    pub inners: Samples,
}

enum Way {
    Http { connection: Connection, request: Vec<u8> },
    Process { command: Command, output: Vec<u8> },
}

#[derive(Deserialize)]
struct Answer {
    result: Value,
}

impl Runner {
    /// A script over a connection that is kept alive.
    pub async fn served(name: &str, runs: usize, served: &Target, case: &Case) -> Fallible<Self> {
        let way = Way::Http { connection: served.connect().await?, request: served.request(case) };
        let mut new = Self::new(name, runs, way, Some(case.clone()));
        new.prove().await.map_err(|words| served.blame(&words))?;
        Ok(new)
    }

    /// A request for no script.
    pub async fn request(name: &str, runs: usize, served: &Target, request: Vec<u8>) -> Fallible<Self> {
        Ok(Self::new(name, runs, Way::Http { connection: served.connect().await?, request }, None))
    }

    /// A process that runs a script.
    pub async fn process(name: &str, runs: usize, mut command: Command, case: &Case) -> Fallible<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut new = Self::new(name, runs, Way::Process { command, output: Vec::new() }, Some(case.clone()));
        new.prove().await?;
        Ok(new)
    }

    /// A process of whose output nobody wants to know.
    pub async fn silent(name: &str, runs: usize, mut command: Command) -> Fallible<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut new = Self::new(name, runs, Way::Process { command, output: Vec::new() }, None);
        new.run().await?;
        Ok(new)
    }

    fn new(name: &str, runs: usize, way: Way, case: Option<Case>) -> Self {
        Self { name: name.to_owned(), runs, way, case, walls: Samples::default(), inners: Samples::default() }
    }

    /// The first runs warm everything up, and show that the right thing is measured.
    async fn prove(&mut self) -> Fallible<()> {
        for _ in 0..3 {
            self.run().await?;
        }
        let answer: Value = serde_json::from_slice(self.answer()).map_err(|error| error.to_string())?;
        match self.case.as_ref().and_then(|case| case.expected.as_ref()) {
            Some(expected) if *expected != answer => Err(format!("{}: a wrong answer: {answer:.200}", self.name)),
            _ => Ok(()),
        }
    }

    /// A run, and how many seconds it took.
    async fn run(&mut self) -> Fallible<f64> {
        let begun = Instant::now();
        match &mut self.way {
            Way::Http { connection, request } => {
                let status = connection.ask(request).await.map_err(|error| format!("{}: {error}", self.name))?;
                let seconds = begun.elapsed().as_secs_f64();
                if status == 200 {
                    return Ok(seconds);
                }
                Err(format!("{}: {status} {}", self.name, String::from_utf8_lossy(connection.body())))
            }
            Way::Process { command, output } => {
                let ended = command.stdin(Stdio::null()).spawn().and_then(std::process::Child::wait_with_output);
                let ended = ended.map_err(|error| format!("{}: {error}", self.name))?;
                let seconds = begun.elapsed().as_secs_f64();
                if !ended.status.success() {
                    return Err(format!("{}: {}", self.name, String::from_utf8_lossy(&ended.stderr)));
                }
                *output = ended.stdout;
                Ok(seconds)
            }
        }
    }

    fn answer(&self) -> &[u8] {
        match &self.way {
            Way::Http { connection, .. } => connection.body(),
            Way::Process { output, .. } => output,
        }
    }

    async fn round(&mut self) -> Fallible<()> {
        for _ in 0..self.runs {
            let seconds = self.run().await?;
            self.walls.push(seconds);
            if self.case.as_ref().is_some_and(|case| case.times_itself) {
                let answer: Answer = serde_json::from_slice(self.answer()).map_err(|error| error.to_string())?;
                self.inners.push(answer.result.as_f64().ok_or("a script that does not say its time")?);
            }
        }
        Ok(())
    }
}

/// Lets all take turns, round by round: as many rounds as there is time for, but at least some.
pub async fn interleave(runners: &mut [Runner], rounds: usize, budget: Duration) -> Fallible<()> {
    const LEAST: usize = 3;
    let begun = Instant::now();
    for round in 0..rounds {
        if round >= LEAST && begun.elapsed() > budget {
            break;
        }
        // Who comes first changes, so that nobody always follows the same one.
        runners.rotate_left(usize::from(round > 0));
        for runner in &mut *runners {
            runner.round().await?;
        }
    }
    Ok(())
}

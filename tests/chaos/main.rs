//! Disturbs a service of its own while honest callers go on, and says what held.
//!
//! ```text
//! make chaos SECONDS=600
//! ```

#[path = "suite.rs"]
mod suite;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use suite::{Fallible, Plan};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
usage: chaos [--seconds N] [--clients N] [--only PATTERN] [--seed N] [--log FILE] [--list]

  --seconds N     for how long, 600 if it is not said; every disturbance is made once at least
  --clients N     honest clients at a time
  --only PATTERN  only disturbances whose name contains PATTERN
  --seed N        what chance is made of, as a report shows it
  --log FILE      add the service's log to FILE
  --list          name the disturbances and make none

Must be started by root. Ends with 0 if every invariant holds, with 1 if not, with 2 if there is nothing to disturb.";

/// The command line, understood.
struct Arguments {
    plan: Plan,
    list: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Fallible<Self> {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut parsed = Self { plan: Plan::long(Duration::from_mins(10), seed), list: false };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--seconds" => parsed.plan.time = Duration::from_secs(number(&word, &value()?)?),
                "--clients" => parsed.plan.clients = usize::try_from(number(&word, &value()?)?).unwrap_or(usize::MAX),
                "--seed" => parsed.plan.seed = number(&word, &value()?)?,
                "--only" => parsed.plan.only = Some(value()?),
                "--log" => parsed.plan.log = Some(value()?.into()),
                "--list" => parsed.list = true,
                _ => return Err(format!("unknown option {word}")),
            }
        }
        Ok(parsed)
    }
}

fn number(option: &str, text: &str) -> Fallible<u64> {
    text.parse().map_err(|_| format!("{option} wants a whole number, not {text}"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(words) => return failed(&format!("{words}\n\n{USAGE}")),
    };
    if arguments.list {
        for one in suite::disturbances() {
            println!("{:<16} {}", one.name, one.purpose);
        }
        return ExitCode::SUCCESS;
    }
    // Whoever is dropped cleans up.
    let report = tokio::select! {
        report = suite::run(&arguments.plan) => report,
        () = interrupted() => Err("interrupted".into()),
    };
    match report {
        Ok(report) => {
            print!("{report}");
            if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(words) => failed(&words),
    }
}

fn failed(words: &str) -> ExitCode {
    eprintln!("chaos: {words}");
    ExitCode::from(2)
}

/// Resolves at the first SIGINT, SIGTERM or SIGHUP.
async fn interrupted() {
    let arrival = |kind| async move {
        match signal(kind) {
            Ok(mut arrivals) => drop(arrivals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = arrival(SignalKind::interrupt()) => {}
        () = arrival(SignalKind::terminate()) => {}
        () = arrival(SignalKind::hangup()) => {}
    }
}

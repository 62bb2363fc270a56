//! Runs one scenario.

use super::bench::Bench;
use super::concurrent;
use super::judge::{SEALED, Trouble};
use super::scenario::{Drive, Outcome, Scenario};

/// Takes a scenario through its course.
pub async fn drive(bench: &Bench, scenario: &Scenario) -> Outcome {
    if bench.host.sealed() {
        if let Some(reason) = scenario.not_sealed {
            return Err(Trouble::NotApplicable(reason.into()));
        }
        if scenario.needs_resources {
            return is_told_of_the_seal(bench, scenario).await;
        }
    }
    match scenario.drive {
        Drive::Scripts(steps) => {
            let mut broken = Vec::new();
            for step in steps(bench) {
                match bench.step_of(scenario.kind, &step).await {
                    Err(Trouble::Broken(words)) if broken.len() < 3 => broken.push(words),
                    outcome => drop(outcome?),
                }
            }
            if broken.is_empty() { Ok(()) } else { Err(Trouble::Broken(broken.join("\n"))) }
        }
        Drive::Together(steps) => concurrent::both(bench, scenario.kind, &steps(bench)).await,
        Drive::Course(course) => course(bench).await,
        Drive::Http(course) => {
            bench.http()?;
            course(bench).await
        }
    }
}

/// Where nothing can be made, a use that needs it must fail, and in words that say why.
async fn is_told_of_the_seal(bench: &Bench, scenario: &Scenario) -> Outcome {
    if let Drive::Scripts(steps) = scenario.drive {
        for step in steps(bench) {
            let reply = bench.send(&step.request(), step.timeout).await.map_err(Trouble::Broken)?;
            if !reply.error().is_some_and(|error| error.contains(SEALED)) {
                return Err(Trouble::Broken(format!("expected a 400 with {SEALED:?}, got {reply}")));
            }
        }
    }
    Err(Trouble::NotApplicable("sealed".into()))
}

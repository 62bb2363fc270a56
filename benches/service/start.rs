//! How long after its start a service has its first answer.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cases::{self, Case};
use crate::latency::{IMPORT, START, START_RUNTIME};
use crate::paths::Paths;
use crate::results::{Latency, Results};
use crate::stats::Samples;
use crate::target::Target;
use crate::{Fallible, say};

/// The time binds where the machine is busy.
const ROUNDS: usize = 8;
const BUDGET: Duration = Duration::from_secs(30);
const LEAST: usize = 3;

pub const FIRST_BASIC: &str = "service, to its first basic answer";
pub const FIRST_PANDAS: &str = "service, to its first pandas answer";
pub const PROBE: &str = "service, until it knows what confines scripts";
pub const FIRST_LAMBDA: &str = "Lambda binary, to its first basic answer";

pub async fn measure(place: &Paths, results: &mut Results) -> Fallible<()> {
    say("start");
    let names = [FIRST_BASIC, FIRST_PANDAS, PROBE, FIRST_LAMBDA, START, START_RUNTIME, IMPORT];
    let mut samples = names.map(|name| (name, Samples::default()));
    let begun = Instant::now();
    for round in 0..ROUNDS {
        if round >= LEAST && begun.elapsed() > BUDGET {
            break;
        }
        let (basic, probe) = first_answer(place, &cases::basic()).await?;
        let (pandas, _) = first_answer(place, &cases::pandas()).await?;
        let taken = [
            Some(basic),
            Some(pandas),
            probe,
            Some(first_invocation(place).await?),
            Some(process(place.machines_python(&["-I", "-c", "pass"]))?),
            Some(process(place.runtimes_python(&["-I", "-c", "pass"]))?),
            Some(process(place.runtimes_python(&["-c", "import numpy, pandas"]))?),
        ];
        for ((_, samples), seconds) in samples.iter_mut().zip(taken) {
            if let Some(seconds) = seconds {
                samples.push(seconds);
            }
        }
    }
    for (name, samples) in samples {
        results.start.extend(Latency::new("start", name, &samples, &Samples::default()));
    }
    Ok(())
}

/// Seconds from the start of the process to the whole answer, and to the end of the probe.
async fn first_answer(place: &Paths, case: &Case) -> Fallible<(f64, Option<f64>)> {
    let service = Target::service(place, &[]);
    service.run(case).await?;
    Ok((service.started().elapsed().as_secs_f64(), service.probe_seconds()))
}

/// The emulator starts the function with its first invocation.
async fn first_invocation(place: &Paths) -> Fallible<f64> {
    let lambda = Target::lambda(place);
    let mut connection = lambda.connect().await?;
    let begun = Instant::now();
    match connection.ask(&lambda.request(&cases::basic())).await {
        Ok(200) => Ok(begun.elapsed().as_secs_f64()),
        other => Err(lambda.blame(&format!("{other:?}"))),
    }
}

fn process(mut command: Command) -> Fallible<f64> {
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(begun.elapsed().as_secs_f64()),
        other => Err(format!("{command:?}: {other:?}")),
    }
}

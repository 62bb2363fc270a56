//! What each process has that no other has: forks share what they do not write to.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::cases::{self, lingering};
use crate::http::Connection;
use crate::paths::Paths;
use crate::results::{Memory, Results};
use crate::stats::Samples;
use crate::target::Target;
use crate::tree::{is_preloaded, private_kib, share_kib, waits};
use crate::{Fallible, say};

/// How long a script stays, and how long after its start it is looked at.
const LINGER: f64 = 1.2;
const LOOK: Duration = Duration::from_millis(600);

pub async fn measure(place: &Paths, results: &mut Results) -> Fallible<()> {
    say("memory");
    let service = Target::service(place, &[]);
    // Both kinds of workers are there when both kinds of scripts have run.
    for case in [cases::basic(), cases::pandas()] {
        service.run(&case).await?;
    }
    let tree = service.at_rest().await?;
    for zygote in &tree.zygotes {
        let kind = if is_preloaded(*zygote) { "preloaded" } else { "base" };
        add(results, &format!("zygote, {kind}"), &[*zygote]);
        add(results, &format!("parked worker, {kind}"), &tree.workers_of(*zygote));
    }
    let together: u64 = tree.all().into_iter().filter_map(share_kib).sum();
    let processes = tree.all().len();
    results.memory.push(Memory { what: "all together, shared pages once".into(), private_kib: together, processes });
    add(results, "monitor", &tree.monitors);
    add(results, "launcher", &tree.launchers);
    for case in [cases::basic(), cases::pandas()] {
        let (private_kib, processes) = running(&service, &lingering(&case, LINGER)).await?;
        results.memory.push(Memory { what: format!("running worker, {}", case.name), private_kib, processes });
    }
    service.at_rest().await?;
    add(results, "service", &[service.process.id()]);
    Ok(())
}

fn add(results: &mut Results, what: &str, pids: &[u32]) {
    match median_kib(pids) {
        Some((private_kib, processes)) => {
            results.memory.push(Memory { what: what.to_owned(), private_kib, processes });
        }
        None => results.note(format!("memory of {what}: needs root")),
    }
}

/// The memory of the workers that run this script, of which as many are started as workers are parked. They were parked before,
/// and have done something since, which those that are still parked have not.
async fn running(service: &Target, case: &cases::Case) -> Fallible<(u64, usize)> {
    let parked = service.at_rest().await?;
    let before: BTreeMap<u32, u64> = parked.workers.iter().filter_map(|pid| Some((*pid, waits(*pid)?))).collect();
    let mut jobs = JoinSet::new();
    for _ in &parked.workers {
        jobs.spawn(ask(service.connect().await?, service.request(case)));
    }
    tokio::time::sleep(LOOK).await;
    let found: Vec<u32> =
        before.into_iter().filter(|(pid, count)| waits(*pid).is_some_and(|now| now != *count)).map(|it| it.0).collect();
    let memory = median_kib(&found);
    while let Some(answered) = jobs.join_next().await {
        answered.map_err(|error| error.to_string())??;
    }
    memory.ok_or_else(|| service.blame("no worker was seen running"))
}

async fn ask(mut connection: Connection, request: Vec<u8>) -> Fallible<()> {
    match connection.ask(&request).await {
        Ok(200) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// The median of several processes, and how many there are.
fn median_kib(pids: &[u32]) -> Option<(u64, usize)> {
    let mut samples = Samples::default();
    pids.iter().filter_map(|pid| private_kib(*pid)).for_each(|kib| samples.push(kib as f64));
    Some((samples.median()? as u64, samples.len()))
}

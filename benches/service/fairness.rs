//! Whether a small script gets its turn beside large ones.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::cases::{self, Case};
use crate::http::Connection;
use crate::results::{Latency, Results};
use crate::runner::{Runner, interleave};
use crate::stats::Samples;
use crate::target::Target;
use crate::{Fallible, say};

const WINDOW: Duration = Duration::from_secs(3);

/// Clients that send large scripts, beside one that sends small ones.
const LARGE: [usize; 3] = [1, 2, 8];

pub async fn measure(service: &Target, cpu: &Case, results: &mut Results) -> Fallible<()> {
    say("fairness");
    let mut alone = [Runner::served("alone", 200, service, &cases::basic()).await?];
    interleave(&mut alone, 1, WINDOW).await?;
    results.fairness.extend(Latency::of("small scripts", &alone));
    for clients in LARGE {
        let end = Instant::now() + WINDOW;
        let mut running = JoinSet::new();
        for _ in 0..clients {
            running.spawn(client(service.connect().await?, service.request(cpu), end));
        }
        let small = client(service.connect().await?, service.request(&cases::basic()), end).await?;
        let who = format!("beside {clients} clients with 50 ms each");
        results.fairness.extend(Latency::new("small scripts", &who, &small, &Samples::default()));
        while let Some(large) = running.join_next().await {
            large.map_err(|error| error.to_string())??;
        }
    }
    Ok(())
}

async fn client(mut connection: Connection, request: Vec<u8>, end: Instant) -> Fallible<Samples> {
    let mut samples = Samples::default();
    loop {
        let begun = Instant::now();
        match timeout_at(end, connection.ask(&request)).await {
            Err(_) => return Ok(samples),
            Ok(Ok(200)) => samples.push(begun.elapsed().as_secs_f64()),
            Ok(answered) => return Err(format!("{answered:?}")),
        }
    }
}

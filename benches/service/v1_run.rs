//! What `/v1/run` costs beside `/execute`, and how soon an event comes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::{Value, json};

use crate::cases;
use crate::http::post;
use crate::results::{Latency, Results};
use crate::runner::{Runner, interleave};
use crate::stats::Samples;
use crate::target::Target;
use crate::{Fallible, SERVICE, say};

const ROUNDS: usize = 12;
const BUDGET: Duration = Duration::from_secs(10);

/// The names of what is measured, by which targets find it.
pub const RUN: &str = "service, /v1/run";
pub const LARGE: &str = "1 MB of plain data";
pub const EVENTS: &str = "events";
pub const ARRIVAL: &str = "from print to arrival";

/// Lines that a script prints for that.
const LINES: usize = 150;

/// The case's name among these.
pub fn case(name: &str) -> String {
    format!("rich, {name}")
}

pub async fn measure(service: &Target, results: &mut Results) -> Fallible<()> {
    for (script, runs) in [(cases::basic(), 100), (cases::pandas(), 60), (cases::plain_data(), 12)] {
        say(&format!("rich: {}", script.name));
        let run = post("/v1/run", &script.body());
        let mut runners =
            [Runner::served(SERVICE, runs, service, &script).await?, Runner::request(RUN, runs, service, run).await?];
        interleave(&mut runners, ROUNDS, BUDGET).await?;
        results.latency.extend(Latency::of(&case(script.name), &runners));
    }
    say("rich: events");
    let arrivals = arrivals(service).await.map_err(|error| format!("events: {error}"))?;
    results.latency.extend(Latency::new(EVENTS, ARRIVAL, &arrivals, &Samples::default()));
    Ok(())
}

/// The script says when it printed a line, by the same clock.
async fn arrivals(service: &Target) -> Result<Samples, reqwest::Error> {
    let script = format!(
        "import sys, time\n\ndef main():\n    for _ in range({LINES}):\n        time.sleep(0.01)\n        \
         sys.stdout.write(f'{{time.time()}}\\n')\n"
    );
    let client = Client::builder().no_proxy().build()?;
    let request = client.post(format!("http://{}/v1/run", service.address)).header("accept", "text/event-stream");
    let mut response = request.json(&json!({ "script": script })).send().await?.error_for_status()?;
    let mut samples = Samples::default();
    while let Some(chunk) = response.chunk().await? {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let chunk = String::from_utf8_lossy(&chunk);
        let printed = chunk.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
        let times = printed.filter_map(|text: Value| text.as_str()?.trim().parse::<f64>().ok());
        times.for_each(|time| samples.push(now - time));
    }
    Ok(samples)
}

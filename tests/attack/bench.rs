//! What a scenario works with: the target, its host, and how scripts are sent.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Options;
use super::host::Host;
use super::judge::{Circumstances, Judge, Trouble};
use super::reply::Reply;
use super::scenario::{Kind, Step};
use super::target::{Http, Target};

/// A target, ready to be attacked.
pub struct Bench {
    pub target: Target,
    pub host: Host,
    pub options: Options,
}

impl Bench {
    /// Asks the target what it is like.
    pub async fn new(target: Target, options: Options) -> Result<Self, String> {
        let host = Host::read(&target.health().await?);
        let bench = Self { target, host, options };
        bench.is_well().await.map_err(|words| format!("a plain script does not run: {words}"))?;
        Ok(bench)
    }

    /// How many scenarios may run at the same time.
    pub fn parallel(&self) -> usize {
        if self.target.as_http().is_some() { self.options.parallel.max(1) } else { 1 }
    }

    /// The front door that a scenario needs.
    pub fn http(&self) -> Result<&Http, Trouble> {
        self.target.as_http().ok_or_else(|| Trouble::NotApplicable("no HTTP front door".into()))
    }

    /// Sends a script. A service that is busy is asked again: that is not what is judged.
    pub async fn send(&self, request: &Value, timeout: f64) -> Result<Reply, String> {
        let patience = Duration::from_secs_f64(timeout) + self.options.slack * 2;
        let deadline = Instant::now() + patience;
        loop {
            let reply = self.target.execute(request, patience).await?;
            if !matches!(reply.status, 429 | 503) || Instant::now() > deadline {
                return Ok(reply);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Runs a step of an attack and judges its answer.
    pub async fn step(&self, step: &Step) -> Result<Reply, Trouble> {
        self.step_of(Kind::Attack, step).await
    }

    /// The same for a scenario of any kind.
    pub async fn step_of(&self, kind: Kind, step: &Step) -> Result<Reply, Trouble> {
        let reply = self.send(&step.request(), step.timeout).await.map_err(Trouble::Broken)?;
        let circumstances = self.circumstances(kind, step.timeout);
        match step.judge.judge(&reply, &circumstances) {
            Ok(()) => Ok(reply),
            Err(words) => Err(Trouble::Broken(format!("{}{words}", about(step)))),
        }
    }

    pub fn circumstances(&self, kind: Kind, timeout: f64) -> Circumstances {
        Circumstances::new(kind, self.host.sealed(), timeout, self.options.slack)
    }

    /// A plain script gets its right answer.
    pub async fn is_well(&self) -> Result<(), String> {
        let script = "def main():\n    print('well')\n    return 2 + 3\n";
        let reply = self.send(&json!({ "script": script }), 30.0).await?;
        Judge::Prints(json!(5), "well\n").judge(&reply, &self.circumstances(Kind::Use, 30.0))
    }
}

/// A short name that no other scenario and no other run uses.
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("a{:x}n{}", now.as_millis() & 0xff_ffff, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Which of a scenario's scripts it was, where they differ by their inputs.
fn about(step: &Step) -> String {
    match step.fields.get("inputs").and_then(|inputs| inputs.get("way")) {
        Some(way) => format!("{way}: "),
        None => String::new(),
    }
}

//! What a run has found, as `results.json` has it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::runner::Runner;
use crate::stats::Samples;
use crate::targets::Target;

/// Everything. Times are in milliseconds, memory in KiB.
#[derive(Debug, Default, Serialize)]
pub struct Results {
    pub machine: Machine,
    pub latency: Vec<Latency>,
    pub throughput: Vec<Throughput>,
    pub fairness: Vec<Latency>,
    pub start: Vec<Latency>,
    pub memory: Vec<Memory>,
    pub sizes: Vec<Size>,
    pub leaks: Vec<Leak>,
    /// What could not be measured, and why.
    pub missing: Vec<String>,
    pub targets: Vec<Target>,
}

#[derive(Debug, Default, Serialize)]
pub struct Machine {
    pub processors: usize,
    pub model: String,
    pub kernel: String,
    /// Of the last minute before the run: far above 0, the figures are of a busy machine.
    pub load: f64,
    pub seconds: f64,
}

#[derive(Debug, Serialize)]
pub struct Latency {
    pub case: String,
    pub who: String,
    pub samples: usize,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    /// Median of what the script itself says it took, where it does.
    pub inner_p50: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct Throughput {
    pub case: String,
    pub who: String,
    /// Clients, or loops of processes.
    pub clients: usize,
    pub per_second: f64,
    /// Answers that there was no room, of all.
    pub refused: usize,
}

#[derive(Debug, Serialize)]
pub struct Memory {
    pub what: String,
    /// Pages that nobody else has; the median where there are several such processes.
    pub private_kib: u64,
    pub processes: usize,
}

#[derive(Debug, Serialize)]
pub struct Size {
    pub what: String,
    pub who: String,
    /// Median by bytes.
    pub p50: BTreeMap<usize, f64>,
    /// What a byte more costs between the two largest sizes, relative to the two before: 1 is linear.
    pub growth: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct Leak {
    pub what: String,
    pub before: f64,
    pub after: f64,
}

impl Latency {
    /// None of one that was never run.
    pub fn new(case: &str, who: &str, walls: &Samples, inners: &Samples) -> Option<Self> {
        let ms = |q| walls.quantile(q).map(|seconds| seconds * 1e3);
        Some(Self {
            case: case.to_owned(),
            who: who.to_owned(),
            samples: walls.len(),
            p50: ms(0.5)?,
            p95: ms(0.95)?,
            p99: ms(0.99)?,
            inner_p50: inners.median().map(|seconds| seconds * 1e3),
        })
    }

    pub fn of(case: &str, runners: &[Runner]) -> Vec<Self> {
        let mut rows: Vec<Self> =
            runners.iter().filter_map(|one| Self::new(case, &one.name, &one.walls, &one.inners)).collect();
        rows.sort_by(|one, other| one.p50.total_cmp(&other.p50));
        rows
    }
}

impl Results {
    pub fn latency(&self, case: &str, who: &str) -> Option<&Latency> {
        self.latency.iter().find(|row| row.case == case && row.who == who)
    }

    pub fn start(&self, who: &str) -> Option<f64> {
        self.start.iter().find(|row| row.who == who).map(|row| row.p50)
    }

    /// The mean over the rounds.
    pub fn per_second(&self, case: &str, who: &str, clients: usize) -> Option<f64> {
        let wanted = |row: &&Throughput| row.case == case && row.who == who && row.clients == clients;
        let rates: Vec<f64> = self.throughput.iter().filter(wanted).map(|row| row.per_second).collect();
        (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
    }

    pub fn private_kib(&self, what: &str) -> Option<u64> {
        self.memory.iter().find(|row| row.what == what).map(|row| row.private_kib)
    }

    pub fn note(&mut self, words: impl Into<String>) {
        let words = words.into();
        if !self.missing.contains(&words) {
            self.missing.push(words);
        }
    }
}

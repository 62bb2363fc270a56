//! What the service is meant to reach: ratios of figures of one run, so that they mean the same on any machine.

use serde::Serialize;

use crate::SERVICE;
use crate::latency::{AWSLAMBDARIC, FLASK, IMPORT, NOTHING, NOTHING_RUNTIME, PLAIN, START, START_RUNTIME, lambda};
use crate::results::Results;
use crate::start::{FIRST_BASIC, FIRST_PANDAS};
use crate::v1_run;

#[derive(Debug, Clone, Serialize)]
pub struct Target {
    pub what: String,
    /// None when something that it needs could not be measured.
    pub figure: Option<f64>,
    pub limit: f64,
    /// Whether the figure is to be at most or at least the limit.
    pub at_most: bool,
    pub unit: &'static str,
    /// One that is wished for, not promised.
    pub stretch: bool,
    pub met: bool,
}

impl Target {
    fn at_most(what: &str, figure: Option<f64>, limit: f64, unit: &'static str) -> Self {
        let met = figure.is_some_and(|figure| figure <= limit);
        Self { what: what.to_owned(), figure, limit, at_most: true, unit, stretch: false, met }
    }

    fn at_least(what: &str, figure: Option<f64>, limit: f64) -> Self {
        let met = figure.is_some_and(|figure| figure >= limit);
        Self { what: what.to_owned(), figure, limit, at_most: false, unit: "x", stretch: false, met }
    }

    fn stretch(self) -> Self {
        Self { stretch: true, ..self }
    }
}

/// All targets, judged.
pub fn judge(results: &Results) -> Vec<Target> {
    [latency(results), rich(results), throughput(results), starts(results), memory(results), rivals(results)].concat()
}

fn latency(results: &Results) -> Vec<Target> {
    let p50 = |case, who| results.latency(case, who).map(|row| row.p50);
    // Of the machine's Python and the runtime's, the faster one counts.
    let nothing = faster(p50("basic", NOTHING), p50("basic", NOTHING_RUNTIME));
    vec![
        Target::at_least(
            "basic p50: times faster than python3 -I -S -c pass",
            ratio(nothing, p50("basic", SERVICE)),
            8.0,
        ),
        Target::at_least(
            "pandas p50: times faster than a process that imports numpy and pandas",
            ratio(p50("pandas", IMPORT), p50("pandas", SERVICE)),
            150.0,
        ),
        inside("cpu 50 ms", "50 ms of Python: time inside by time outside", results),
        inside("matmul 512", "matmul: time inside by time outside", results),
    ]
}

fn rich(results: &Results) -> Vec<Target> {
    let p50 = |case: &str, who| results.latency(&v1_run::case(case), who).map(|row| row.p50);
    vec![
        Target::at_most(
            "1 MB of plain data: time of /v1/run by that of /execute",
            ratio(p50(v1_run::LARGE, v1_run::RUN), p50(v1_run::LARGE, SERVICE)),
            1.05,
            "x",
        ),
        Target::at_most(
            "events: from print to arrival, p99",
            results.latency(v1_run::EVENTS, v1_run::ARRIVAL).map(|row| row.p99),
            50.0,
            "ms",
        ),
    ]
}

/// What a script says it took, in the service and in a process of the same Python outside.
fn inside(case: &str, what: &str, results: &Results) -> Target {
    let inner = |who| results.latency(case, who).and_then(|row| row.inner_p50);
    Target::at_most(what, ratio(inner(SERVICE), inner(PLAIN)), 1.05, "x")
}

fn throughput(results: &Results) -> Vec<Target> {
    let per_second = |case, who, clients| results.per_second(case, who, clients);
    let loops = crate::throughput::LOOPS;
    let nothing = harder(per_second("basic", NOTHING, loops), per_second("basic", NOTHING_RUNTIME, loops));
    vec![
        Target::at_least(
            "basic, 8 clients: times the scripts of 2 loops of python3 -I -S -c pass",
            ratio(per_second("basic", SERVICE, 8), nothing),
            2.0,
        ),
        Target::at_least(
            "pandas, 8 clients: times the scripts of 2 loops of processes that import pandas",
            ratio(per_second("pandas", SERVICE, 8), per_second("pandas", IMPORT, loops)),
            60.0,
        ),
    ]
}

fn starts(results: &Results) -> Vec<Target> {
    let nothing = faster(results.start(START), results.start(START_RUNTIME));
    vec![
        Target::at_most(
            "start to first basic answer: times python3 -I -c pass",
            ratio(results.start(FIRST_BASIC), nothing),
            6.0,
            "x",
        ),
        Target::at_most(
            "start to first pandas answer: times python3 -c 'import numpy, pandas'",
            ratio(results.start(FIRST_PANDAS), results.start(IMPORT)),
            1.3,
            "x",
        ),
    ]
}

fn memory(results: &Results) -> Vec<Target> {
    let parked = |kind: &str| results.private_kib(&format!("parked worker, {kind}")).map(|kib| kib as f64 / 1024.0);
    vec![
        Target::at_most("private memory of a parked worker, base", parked("base"), 3.0, "MiB"),
        Target::at_most("private memory of a parked worker, preloaded", parked("preloaded"), 8.0, "MiB"),
    ]
}

fn rivals(results: &Results) -> Vec<Target> {
    let by = |case: &str, rival| {
        let p50 = |who| results.latency(case, who).map(|row| row.p50);
        ratio(p50(SERVICE), p50(rival))
    };
    vec![
        Target::at_most(
            "Lambda, basic p50: by awslambdaric with exec() in process",
            by(&lambda("basic"), AWSLAMBDARIC),
            1.0,
            "x",
        ),
        Target::at_most("basic p50: by Flask with exec() in process", by("basic", FLASK), 1.0, "x").stretch(),
        Target::at_most("pandas p50: by Flask with exec() in process", by("pandas", FLASK), 1.0, "x").stretch(),
    ]
}

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?)
}

fn faster(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one?.min(other?))
}

/// Of two rates, the one that is harder to beat.
fn harder(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one?.max(other?))
}

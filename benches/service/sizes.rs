//! What a job costs by the size of what travels.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cases::Case;
use crate::latency::{Doors, FLASK};
use crate::paths::Paths;
use crate::results::{Results, Size};
use crate::runner::{Runner, interleave};
use crate::target::Target;
use crate::{Fallible, SERVICE, say};

const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 5_000_000];
const ROUNDS: usize = 6;
const BUDGET: Duration = Duration::from_secs(10);

/// Default limits keep one megabyte of output.
const LIMITS: [(&str, &str); 1] = [("EXECUTOR_MAX_STDOUT_BYTES", "8388608")];

pub async fn measure(place: &Paths, doors: &Doors<'_>, results: &mut Results) -> Fallible<()> {
    let service = Target::service(place, &LIMITS);
    for (what, case) in [("script", script as fn(usize) -> Case), ("stdout", stdout), ("result", result)] {
        say(&format!("sizes: {what}"));
        let mut runners = Vec::new();
        for bytes in SIZES {
            runners.push(Runner::served(&named(SERVICE, bytes), 3, &service, &case(bytes)).await?);
            if let Some(flask) = doors.flask {
                runners.push(Runner::served(&named(FLASK, bytes), 3, flask, &case(bytes)).await?);
            }
        }
        interleave(&mut runners, ROUNDS, BUDGET).await?;
        results.sizes.extend([SERVICE, FLASK].into_iter().filter_map(|who| size(what, who, &runners)));
    }
    Ok(())
}

fn named(who: &str, bytes: usize) -> String {
    format!("{who} {bytes}")
}

fn size(what: &str, who: &str, runners: &[Runner]) -> Option<Size> {
    let median = |bytes| runners.iter().find(|one| one.name == named(who, bytes))?.walls.median();
    let p50: BTreeMap<usize, f64> = SIZES.iter().filter_map(|&bytes| Some((bytes, median(bytes)? * 1e3))).collect();
    (!p50.is_empty()).then(|| Size { what: what.to_owned(), who: who.to_owned(), growth: growth(&p50), p50 })
}

/// What a byte costs beyond a megabyte, by what it costs below.
fn growth(p50: &BTreeMap<usize, f64>) -> Option<f64> {
    let slope = |from: usize, to: usize| Some((p50.get(&to)? - p50.get(&from)?) / (to - from) as f64);
    Some(slope(SIZES[3], SIZES[4])? / slope(SIZES[2], SIZES[3])?)
}

fn case(script: String, result: &Value, stdout: &str) -> Case {
    let expected = Some(json!({ "result": result, "stdout": stdout }));
    Case { name: "size", script, expected, times_itself: false }
}

/// One long literal: what Python's compiler costs for many lines is not the question.
fn script(bytes: usize) -> Case {
    case(format!("def main():\n    return len('{}')\n", "x".repeat(bytes)), &json!(bytes), "")
}

fn stdout(bytes: usize) -> Case {
    case(format!("def main():\n    print('x' * {bytes}, end='')\n"), &Value::Null, &"x".repeat(bytes))
}

fn result(bytes: usize) -> Case {
    case(format!("def main():\n    return 'x' * {bytes}\n"), &json!("x".repeat(bytes)), "")
}

//! P5 against those who hide: memory, files and processes that are taken out of sight of whoever counts them.

use serde_json::json;

use super::bench::Bench;
use super::judge::Judge;
use super::program;
use super::resources::{MEMORY_MB, PROCESSES, SCRATCH_BYTES};
use super::scenario::{Drive, Promise, Scenario, Step, attack, step, twin};

const P: Promise = Promise::Bounds;

pub fn scenarios() -> Vec<Scenario> {
    let all = [
        attack(
            P,
            "mem-hidden",
            "holds memory in processes and threads that hide by names, tables of descriptors, depth, ends and held locks",
            Drive::Scripts(hidden),
        ),
        attack(
            P,
            "disk-hidden",
            "holds files without a name, open, mapped, in tables of threads, under names that are no text",
            Drive::Scripts(|_| hidden_files()),
        ),
        attack(
            P,
            "fork-hidden",
            "forks 300 children whose names are no text, or that have ended and are not waited for",
            Drive::Scripts(|_| {
                let crowd = |way| {
                    let inputs = json!({ "way": way, "wanted": 300 });
                    step(program!("crowd")).inputs(inputs).judge(Judge::AtMost(PROCESSES))
                };
                ["plain", "named", "ended"].map(crowd).to_vec()
            }),
        ),
    ];
    let mut all: Vec<Scenario> = all.into_iter().map(|scenario| scenario.destructive().alone()).collect();
    all.push(
        twin(
            P,
            "mem-hidden-twin",
            "uses names, threads, sockets, locks, event loops, children and copies within the limits",
            Drive::Scripts(|_| vec![step(program!("hidden_twin")).judge(Judge::Returns(json!(528_521)))]),
        )
        .needs_resources(),
    );
    all
}

/// Kinds of memory with ways to hide them: each kind once in plain sight, and each way with what it would suit best.
#[rustfmt::skip]
const HIDDEN: [(&str, &[&str], u32); 24] = [
    ("anonymous", &[], 6),
    ("anonymous", &["name"], 6),
    ("anonymous", &["cut_name"], 6),
    ("anonymous", &["line_name"], 6),
    ("anonymous", &["name", "thread"], 6),
    ("anonymous", &["session", "orphan", "name"], 6),
    ("anonymous", &["name", "stopped"], 6),
    ("anonymous", &["stalled"], 6),
    ("anonymous", &["continued"], 6),
    ("anonymous", &["relay", "stalled"], 6),
    ("anonymous", &["deep", "name"], 4),
    ("anonymous", &["executed"], 1),
    ("sockets", &[], 10),
    ("sockets", &["name"], 10),
    ("sockets", &["table"], 10),
    ("sockets", &["thread", "table", "name"], 10),
    ("pipes", &["name", "orphan"], 24),
    ("pipes", &["thread", "table"], 24),
    ("sockets", &["continued", "stalled"], 10),
    ("spliced", &[], 2),
    ("watches", &["name", "orphan"], 14),
    ("chains", &[], 2),
    ("mappings", &["deep", "name"], 4),
    ("mappings", &["name", "orphan"], 50),
];

fn hidden(bench: &Bench) -> Vec<Step> {
    // gVisor has numbers of its own for what these take.
    let is_measured = |takes: &str| bench.host.mechanisms.contains("landlock") || takes == "anonymous";
    let combinations = HIDDEN.iter().filter(|(takes, ..)| is_measured(takes));
    let one = |(takes, hides, children): &(&str, &[&str], u32)| {
        let inputs = json!({ "takes": takes, "hides": hides, "children": children, "limit": MEMORY_MB });
        step(program!("hidden")).inputs(inputs).judge(Judge::AtMost(MEMORY_MB))
    };
    combinations.map(one).collect()
}

fn hidden_files() -> Vec<Step> {
    let one = |way: &str| {
        let inputs = json!({ "way": way, "megabytes": 4 * (SCRATCH_BYTES >> 20) });
        let most = (SCRATCH_BYTES + SCRATCH_BYTES / 4) >> 20;
        step(program!("hidden_files")).inputs(inputs).judge(Judge::AtMost(most))
    };
    ["opened", "mapped", "odd_name", "in_a_table", "hidden_process"].map(one).to_vec()
}

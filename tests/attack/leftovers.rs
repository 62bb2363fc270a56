//! P6: nothing left behind.

use std::time::Duration;

use serde_json::{Value, json};

use super::bench::{Bench, unique};
use super::files::empty;
use super::judge::{Judge, SEALED, Trouble};
use super::program;
use super::scenario::{Course, Drive, Outcome, Promise, Scenario, Step, attack, step, twin};

const P: Promise = Promise::Leftovers;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = processes();
    all.extend(state());
    all.extend(scratch());
    all
}

fn processes() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "left-daemon",
            "leaves a process by double fork and setsid",
            Drive::Course(|bench| leave(bench, "daemon")),
        ),
        attack(
            P,
            "left-output-holder",
            "leaves a process that keeps standard output and goes on printing",
            Drive::Course(|bench| leave(bench, "holder")),
        ),
        attack(P, "left-child", "leaves a plain child", Drive::Course(|bench| leave(bench, "child"))),
        attack(
            P,
            "left-breeder",
            "leaves a process that always lives on in a new child",
            Drive::Course(|bench| leave(bench, "breeder")),
        )
        .destructive(),
    ]
}

/// The answer comes at once, and the next script does not find the process.
fn leave<'a>(bench: &'a Bench, way: &'static str) -> Course<'a> {
    Box::pin(async move {
        let name = unique();
        let inputs = json!({ "way": way, "announce": name, "end": "pass", "tell": true });
        let leave = step(program!("left_process")).inputs(inputs).judge(Judge::AnyAnswer);
        let reply = bench.step(&leave).await?;
        if reply.took > Duration::from_secs(10) + bench.options.slack {
            return Err(Trouble::Broken(format!("the answer came after {:?}", reply.took)));
        }
        let Some(number) = reply.result().and_then(Value::as_u64) else {
            let refused = reply.error().is_some_and(|e| e.contains(SEALED) || e.contains("Error: "));
            return if refused { Ok(()) } else { Err(Trouble::Broken(format!("nothing was left: {reply}"))) };
        };
        let inputs = json!({ "number": number, "name": name, "patience": bench.options.slack.as_secs_f64() / 4.0 });
        bench.step(&step(program!("left_look")).inputs(inputs)).await.map(drop)
    })
}

fn state() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "left-posix-shm",
            "leaves shared memory, semaphores and queues; the next looks",
            Drive::Course(|bench| Box::pin(memory_and_queues(bench))),
        ),
        attack(
            P,
            "left-ipc-neighbour",
            "looks for shared memory and queues of a neighbour",
            Drive::Together(|_| {
                let (name, program) = (unique(), program!("left_ipc"));
                let leave = json!({ "way": "leave", "name": name, "seconds": 2, "report": true });
                let look = json!({ "way": "look", "name": name, "report": true });
                [step(program).inputs(leave), step(program).inputs(look)]
            }),
        ),
        attack(
            P,
            "left-state",
            "changes environment, path, builtins, modules, json, numpy, signals, umask",
            Drive::Scripts(|_| (0..3).flat_map(|_| [change(), unchanged()]).collect()),
        ),
        attack(
            P,
            "left-times",
            "changes mode, times and owner of devices, of its own program and of the runtime",
            Drive::Scripts(|bench| {
                // Without a root of its own a script has the host's devices, whose times everybody may set to now.
                let inputs =
                    json!({ "with_devices": bench.host.mechanisms.contains("landlock") && bench.host.namespaces() });
                vec![step(program!("traces_on_host")).inputs(inputs)]
            }),
        )
        .not_sealed("sealed: no filter keeps it from what its user owns, by which it can only end its own environment")
        .destructive(),
        twin(
            P,
            "left-times-twin",
            "uses devices, and changes mode and times of its own files where it may",
            Drive::Scripts(|bench| {
                let alone = bench.host.namespaces();
                let told = if alone { json!([16, 1.0, 2.0, 0o600, 0]) } else { json!([16]) };
                let inputs = json!({ "in_namespaces": alone });
                vec![step(program!("traces_twin")).inputs(inputs).judge(Judge::Returns(told))]
            }),
        ),
        attack(
            P,
            "left-core",
            "crashes with core files allowed; the next looks for one",
            Drive::Scripts(|bench| {
                vec![step(program!("left_core")).judge(Judge::Ended(&[])), empty(bench), unchanged()]
            }),
        ),
        attack(
            P,
            "left-input",
            "looks for the input of an earlier script",
            Drive::Scripts(|_| {
                let read = || step("import sys\ndef main(): return sys.stdin.read()");
                let own = read().field("stdin", json!("mine")).judge(Judge::Returns(json!("mine")));
                vec![own, read().judge(Judge::Returns(json!(""))), read().judge(Judge::Returns(json!("")))]
            }),
        ),
        attack(
            P,
            "random-in-turn",
            "draws from every source of chance in several scripts",
            Drive::Course(|bench| Box::pin(chance(bench))),
        ),
    ]
}

async fn memory_and_queues(bench: &Bench) -> Outcome {
    for _ in 0..2 {
        let (name, program) = (unique(), program!("left_ipc"));
        let leave = json!({ "way": "leave", "name": name, "report": true });
        let look = json!({ "way": "look", "name": name, "report": true });
        bench.step(&step(program).inputs(leave)).await?;
        bench.step(&step(program).inputs(look)).await?;
    }
    Ok(())
}

fn change() -> Step {
    step(program!("left_state")).inputs(json!({ "way": "change" })).judge(Judge::AnyAnswer)
}

fn unchanged() -> Step {
    let judge = Judge::By(|reply| match reply.result() {
        Some(Value::Array(found)) if found.is_empty() => Ok(()),
        _ => Err(format!("an earlier script's changes: {reply}")),
    });
    step(program!("left_state")).inputs(json!({ "way": "look" })).judge(judge)
}

async fn chance(bench: &Bench) -> Outcome {
    let mut seen: Vec<(String, Value)> = Vec::new();
    for _ in 0..5 {
        let reply = bench.step(&step(program!("random_draws")).judge(Judge::AnyAnswer)).await?;
        let Some(Value::Object(draws)) = reply.result() else {
            return Err(Trouble::Broken(format!("nothing was drawn: {reply}")));
        };
        for draw in draws.clone() {
            if seen.contains(&draw) {
                return Err(Trouble::Broken(format!("drawn twice: {draw:?}")));
            }
            seen.push(draw);
        }
    }
    Ok(())
}

type Steps = fn(&Bench) -> Vec<Step>;

fn scratch() -> Vec<Scenario> {
    let ways: [(&str, &str, Steps); 11] = [
        ("left-deep", "directories 10,000 levels deep", |bench| strange(bench, "deep")),
        ("left-unreadable", "directories that nobody may enter", |bench| strange(bench, "unreadable")),
        ("left-links", "symbolic links to everywhere, loops, and 5,000 hard links", |bench| strange(bench, "links")),
        ("left-pipes", "named pipes", |bench| strange(bench, "pipes")),
        ("left-names", "names that are options, patterns, line ends and no text", |bench| strange(bench, "names")),
        ("left-directories", "a million directories", |bench| strange(bench, "directories")),
        ("left-sparse", "a file of a petabyte with nothing in it", |bench| strange(bench, "sparse")),
        ("left-sparse-pages", "a file with one byte in each of many pages", |bench| strange(bench, "sparse_pages")),
        ("left-mapped", "a file that is filled through memory", |bench| strange(bench, "mapped")),
        ("left-busy", "a program that runs while it is written to", |bench| strange(bench, "busy")),
        ("left-locked", "a locked file that nobody may open", |bench| strange(bench, "locked")),
    ];
    ways.map(|(name, purpose, steps)| attack(P, name, purpose, Drive::Scripts(steps)).destructive()).to_vec()
}

/// Leaves something strange; the next scripts find nothing.
fn strange(bench: &Bench, way: &str) -> Vec<Step> {
    let leave = step(program!("disk_strange")).inputs(json!({ "way": way })).timeout(6.0).judge(Judge::AnyAnswer);
    vec![leave, empty(bench), empty(bench), empty(bench)]
}

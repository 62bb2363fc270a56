//! P5: bounded time, output and results.

use serde_json::{Value, json};

use super::judge::{Judge, SEALED};
use super::program;
use super::reply::Reply;
use super::scenario::{Drive, Promise, Scenario, Step, attack, step, twin};

const P: Promise = Promise::Bounds;

/// What is kept of an output, with room for the line that says what was left out.
const OUTPUT: usize = (1 << 20) + 4096;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = time();
    all.extend(output());
    all.extend(twins());
    all
}

fn time() -> Vec<Scenario> {
    vec![
        attack(P, "time-busy-loop", "loops with a timeout of 2 s", Drive::Scripts(|_| vec![endless("loop")])),
        attack(
            P,
            "time-raised",
            "asks for a timeout of 10^9 s and sleeps",
            Drive::Scripts(|_| {
                let sleep = "import time\ndef main():\n    time.sleep(45)\n    return 'slept'";
                vec![
                    step(sleep)
                        .field("timeout", json!(1e9))
                        .timeout(45.0)
                        .judge(Judge::Ended(&["timeout", "time limit"])),
                ]
            }),
        ),
        attack(
            P,
            "time-c-calls",
            "stays inside one C call: a sum, a power, a backtracking pattern",
            Drive::Scripts(|_| ["sum", "power", "pattern"].map(endless).to_vec()),
        ),
        attack(
            P,
            "time-deaf",
            "ignores and blocks every signal, then loops",
            Drive::Scripts(|_| vec![endless("deaf")]),
        ),
        attack(P, "time-stubborn", "catches every exception, for ever", Drive::Scripts(|_| vec![endless("stubborn")])),
        attack(
            P,
            "time-company",
            "loops in children and threads",
            Drive::Scripts(|_| ["children", "threads"].map(endless).to_vec()),
        ),
        attack(
            P,
            "time-still",
            "stops itself, or waits for what never comes",
            Drive::Scripts(|_| ["stopped", "waiting"].map(endless).to_vec()),
        ),
        attack(
            P,
            "time-exit",
            "does not leave: endless exit handlers, finalizers and threads",
            Drive::Scripts(|_| {
                let program = "
import atexit, threading, time

class Sticky:
    def __del__(self):
        time.sleep(60)

def main():
    atexit.register(time.sleep, 60)
    threading._register_atexit(time.sleep, 60) if hasattr(threading, '_register_atexit') else None
    globals()['kept'] = Sticky()
    return 'real'
";
                vec![step(program).judge(Judge::By(at_once))]
            }),
        ),
    ]
    .into_iter()
    .map(Scenario::destructive)
    .collect()
}

fn endless(way: &str) -> Step {
    step(program!("time_loop")).inputs(json!({ "way": way })).timeout(1.5).judge(Judge::TimedOut)
}

/// The answer does not wait for what the script leaves.
fn at_once(reply: &Reply) -> Result<(), String> {
    if reply.result() == Some(&json!("real")) && reply.took.as_secs() < 20 {
        return Ok(());
    }
    Err(format!("after {:?}: {reply}", reply.took))
}

fn output() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "out-flood",
            "prints 20 MB, by Python and by system calls, to both streams",
            Drive::Scripts(|_| {
                let flood = |way| step(program!("out_flood")).inputs(json!({ "way": way })).judge(Judge::By(was_cut));
                ["print", "lines", "bytes", "errors"].map(flood).to_vec()
            }),
        ),
        attack(
            P,
            "result-huge",
            "returns 50 MB, plain, escaped, and shared many times over",
            Drive::Scripts(|_| {
                let huge = |way| step(program!("result_huge")).inputs(json!({ "way": way })).judge(Judge::Ended(&[]));
                ["text", "list", "growing", "shared"].map(huge).to_vec()
            }),
        ),
        attack(
            P,
            "error-huge",
            "raises an exception with 50 MB of text, and a class with a huge name",
            Drive::Scripts(|_| {
                let text = step("def main():\n    raise ValueError('x' * (50 << 20))");
                let name = step("def main():\n    raise type('E' * (20 << 20), (Exception,), {})('x')");
                [text, name].map(|step| step.judge(Judge::By(is_short))).to_vec()
            }),
        ),
    ]
    .into_iter()
    .map(Scenario::destructive)
    .collect()
}

fn was_cut(reply: &Reply) -> Result<(), String> {
    if reply.stdout().len() > OUTPUT * 3 {
        return Err(format!("{} bytes of output came back", reply.stdout().len()));
    }
    Ok(())
}

fn is_short(reply: &Reply) -> Result<(), String> {
    match reply.error() {
        Some(_) if reply.text.len() < 1 << 20 => Ok(()),
        _ => Err(format!("{} bytes came back: {reply}", reply.text.len())),
    }
}

fn twins() -> Vec<Scenario> {
    vec![
        twin(
            P,
            "thread-twin",
            "runs a pool of 8 threads",
            Drive::Scripts(|_| vec![step(program!("thread_twin")).judge(Judge::Returns(json!(328_350)))]),
        )
        .needs_resources(),
        twin(
            P,
            "process-twin",
            "runs subprocess with sys.executable, multiprocessing.Process and a Pool of 2",
            Drive::Scripts(|bench| {
                let judge = if bench.host.namespaces() {
                    Judge::Returns(json!(["42\n", 0, [1, 4, 9]]))
                } else {
                    Judge::By(works_or_raises)
                };
                vec![step(program!("process_twin")).judge(judge)]
            }),
        )
        .needs_resources(),
        twin(
            P,
            "large-result-twin",
            "returns 1 MB and prints 500 kB",
            Drive::Scripts(|_| {
                let program = "def main():\n    print('y' * 500_000)\n    return 'x' * 1_000_000";
                vec![step(program).judge(Judge::By(|reply| {
                    let size = reply.result().and_then(Value::as_str).map(str::len);
                    if size == Some(1_000_000) && reply.stdout().len() == 500_001 {
                        Ok(())
                    } else {
                        Err(format!("{reply}"))
                    }
                }))]
            }),
        ),
    ]
}

/// Without a process namespace some of it is refused, in an ordinary way.
fn works_or_raises(reply: &Reply) -> Result<(), String> {
    let ordinary = |error: &str| error.contains("Error: ") || error.contains(SEALED);
    if reply.status == 200 || reply.error().is_some_and(ordinary) {
        return Ok(());
    }
    Err(format!("neither a result nor an ordinary exception: {reply}"))
}

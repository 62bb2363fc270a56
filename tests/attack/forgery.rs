//! P6: a result channel that cannot corrupt the answer.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::judge::Judge;
use super::program;
use super::reply::Reply;
use super::scenario::{Drive, Promise, Scenario, Step, attack, step, twin};

const P: Promise = Promise::Leftovers;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = forging();
    all.extend(leaving());
    all.extend(results());
    all.extend(twins());
    all
}

fn real() -> Judge {
    Judge::ReturnsOrEnds(json!("real"))
}

fn ways(program: &str, ways: &[&str], timeout: f64, judge: &Judge) -> Vec<Step> {
    let one = |way: &&str| step(program).inputs(json!({ "way": way })).timeout(timeout).judge(judge.clone());
    ways.iter().map(one).collect()
}

fn forging() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "proto-forge-stdout",
            "prints result markers, JSON answers and HTTP headers",
            Drive::Scripts(|_| vec![step(program!("proto_stdout")).judge(Judge::By(mere_output))]),
        ),
        attack(
            P,
            "proto-forge-descriptors",
            "writes rubbish and well-formed answers to every descriptor",
            Drive::Scripts(|_| {
                let inputs =
                    (0..11).flat_map(|which| [false, true].map(|close| json!({ "which": which, "close": close })));
                inputs.map(|inputs| step(program!("proto_descriptors")).inputs(inputs).judge(real())).collect()
            }),
        ),
        attack(
            P,
            "proto-flood",
            "floods, drains, shuts and swaps its descriptors",
            Drive::Scripts(|_| {
                let all = ["rubbish", "zeros", "drops", "read", "shut", "swap", "descriptors"];
                ways(program!("proto_flood"), &all, 5.0, &real())
            }),
        )
        .destructive(),
        attack(
            P,
            "proto-fork",
            "comes back from main in a child as well",
            Drive::Scripts(|_| {
                ways(program!("proto_fork"), &["return", "raise", "exit", "slow"].repeat(2), 20.0, &real())
            }),
        ),
        attack(
            P,
            "proto-frames",
            "climbs into its caller's frames, spoils them and calls what it finds",
            Drive::Scripts(|_| {
                ways(program!("proto_frames"), &["spoil", "call", "closures", "exit"], 5.0, &Judge::AnyAnswer)
            }),
        )
        .destructive(),
        attack(
            P,
            "proto-patch-json",
            "patches json so that a result would bring members of its own",
            Drive::Scripts(|_| {
                let all = ["dumps", "iterencode", "text", "default"];
                let classes = ["str class", "int class", "float class", "dict class"];
                let mut steps = ways(program!("proto_json"), &all, 20.0, &Judge::By(injects_nothing));
                steps.extend(ways(program!("proto_json"), &classes, 20.0, &Judge::By(injects_nothing)));
                steps
            }),
        ),
    ]
}

/// The result is real, and all that was printed is there as text.
fn mere_output(reply: &Reply) -> Result<(), String> {
    let printed = reply.stdout();
    if reply.result() == Some(&json!("real"))
        && printed.matches("###RESULT###\"forged\"\n").count() == 2
        && printed.matches("HTTP/1.1 200 OK\r\n").count() == 2
    {
        return Ok(());
    }
    Err(format!("{reply}"))
}

/// A patched encoder may change what the value is, not what the answer is.
fn injects_nothing(reply: &Reply) -> Result<(), String> {
    if reply.stdout().is_empty() { Ok(()) } else { Err(format!("the output was injected: {reply}")) }
}

fn leaving() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "proto-exit",
            "leaves main by every kind of exit",
            Drive::Scripts(|_| {
                let all = [
                    "os._exit(0)",
                    "sys.exit(0)",
                    "exit()",
                    "raise SystemExit",
                    "raise KeyboardInterrupt",
                    "ctypes.CDLL(None).exit(0)",
                    "ctypes.CDLL(None)._exit(0)",
                    "ctypes.CDLL(None).pthread_exit(None)",
                    "os.execv(sys.executable, [sys.executable, '-c', 'print(5)'])",
                    "os.closerange(0, 1024) or os._exit(0)",
                ];
                ways(program!("proto_leave"), &all, 3.0, &Judge::Ended(&[]))
            }),
        ),
        attack(
            P,
            "proto-die",
            "dies by signals, a null pointer and a bad free",
            Drive::Scripts(|_| {
                let all = [
                    "os.kill(os.getpid(), signal.SIGKILL)",
                    "os.kill(os.getpid(), signal.SIGSEGV)",
                    "os.kill(os.getpid(), signal.SIGTERM)",
                    "os.abort()",
                    "ctypes.string_at(0)",
                    "ctypes.CDLL(None).free(ctypes.c_void_p(1))",
                ];
                ways(program!("proto_leave"), &all, 5.0, &Judge::Ended(&["signal", "killed", "SIG"]))
            }),
        ),
        attack(
            P,
            "proto-no-main",
            "has no main, or one that is none",
            Drive::Scripts(|_| {
                let all = [
                    "x = 1",
                    "main = 5",
                    "def main(needed): return 1",
                    "from os.path import join as main",
                    "class main:\n    def __init__(self): raise SystemExit",
                    "def main(): yield 1",
                    "import main",
                    "def main() return 1",
                    "#",
                    "\u{0}",
                    "del __builtins__",
                    "raise SystemExit(0)",
                    "def __getattr__(name): return lambda: 5",
                ];
                all.map(|script| step(script).judge(Judge::Ended(&[]))).to_vec()
            }),
        ),
    ]
}

fn results() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "proto-constants",
            "returns NaN and infinities at every depth",
            Drive::Scripts(|_| {
                let all = ["nan", "infinity", "minus", "list", "dict", "key", "subclass"];
                ways(program!("proto_constants"), &all, 20.0, &Judge::AnyAnswer)
            }),
        ),
        attack(
            P,
            "proto-deep",
            "returns lists and dicts nested up to a million deep",
            Drive::Scripts(|_| {
                let depths = [500, 100_000, 1_000_000];
                let inputs =
                    depths.into_iter().flat_map(|n| ["list", "dict"].map(|way| json!({ "way": way, "levels": n })));
                inputs.map(|inputs| step(program!("proto_deep")).inputs(inputs).judge(Judge::By(is_a_value))).collect()
            }),
        ),
        attack(
            P,
            "proto-cycle",
            "returns cycles, surrogates and values that lie about themselves",
            Drive::Scripts(|_| {
                let all = ["cycle", "surrogate", "shifty", "liar", "class", "main"];
                ways(program!("proto_cycle"), &all, 20.0, &Judge::By(is_a_value))
            }),
        ),
    ]
}

/// A value or a 400: what cannot be told must not become null.
fn is_a_value(reply: &Reply) -> Result<(), String> {
    let wrong = [json!("forged"), Value::Null];
    if reply.result().is_some_and(|result| wrong.contains(result)) { Err(format!("{reply}")) } else { Ok(()) }
}

fn twins() -> Vec<Scenario> {
    vec![
        twin(
            P,
            "proto-values-twin",
            "returns values of every kind that JSON has",
            Drive::Scripts(|_| vec![step(program!("proto_values")).judge(Judge::Returns(values()))]),
        ),
        twin(
            P,
            "proto-inputs-twin",
            "returns its inputs unchanged",
            Drive::Scripts(|_| {
                let echo = step("def main(**inputs): return inputs").inputs(values());
                vec![echo.judge(Judge::Returns(values()))]
            }),
        ),
        twin(
            P,
            "proto-output-twin",
            "prints in every way there is, and fails after it",
            Drive::Scripts(|_| {
                let fails = json!({ "fail": true });
                let printed =
                    step(program!("proto_output")).judge(Judge::Prints(json!("done"), "one\ntwo three\nfour\nfünf"));
                vec![printed, step(program!("proto_output")).inputs(fails).judge(Judge::By(kept_the_output))]
            }),
        ),
        twin(
            P,
            "proto-lines-twin",
            "prints ten thousand lines, which arrive in order",
            Drive::Scripts(|_| {
                let program = "def main():\n    for number in range(10_000): print(number)";
                vec![step(program).judge(Judge::By(ten_thousand_lines))]
            }),
        ),
    ]
}

fn values() -> Value {
    json!({
        "null": null,
        "yes": true,
        "no": false,
        "numbers": [0, -1, 1_i64 << 53, i64::MIN, 1.5, -0.25, 1e300, 5e-324],
        "text": ["", "äöü", "日本語", "🙂", "\u{0}\u{1f}\u{2028}", "\"\\/\u{8}\u{c}\n\r\t", "</script>"],
        "nested": { "list": [[], [[]], {}], "": { "": [] } },
    })
}

fn kept_the_output(reply: &Reply) -> Result<(), String> {
    let told = reply.error().is_some_and(|error| error.contains("ValueError: after printing"));
    if told && reply.stdout() == "one\ntwo three\nfour\nfünf" { Ok(()) } else { Err(format!("{reply}")) }
}

fn ten_thousand_lines(reply: &Reply) -> Result<(), String> {
    let expected = (0..10_000).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{number}");
        text
    });
    if reply.status == 200 && reply.stdout() == expected { Ok(()) } else { Err(format!("{reply}")) }
}

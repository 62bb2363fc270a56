//! The fields of a request: what each may be and what it does.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::server::AT_ONCE;

/// A request whose `field` holds `value`, beside a script that needs nothing.
async fn with_field(field: &str, value: Value) -> crate::support::Reply {
    let mut body = json!({ "script": "def main(**inputs): return 1" });
    body[field] = value;
    Server::shared().post(body.to_string()).await
}

/// One value of each type of JSON.
fn values() -> [(&'static str, Value); 6] {
    [
        ("null", json!(null)),
        ("boolean", json!(true)),
        ("number", json!(1)),
        ("string", json!("x")),
        ("array", json!([])),
        ("object", json!({})),
    ]
}

#[tokio::test]
async fn script_is_required() {
    for body in ["{}", r#"{"inputs":{}}"#, r#"{"timeout":1,"stdin":"x"}"#] {
        Server::shared().post(body).await.fails("missing required field: script", "");
    }
}

#[tokio::test]
async fn script_must_be_a_string() {
    for (kind, value) in values() {
        if kind != "string" {
            let reply = with_field("script", value).await;
            reply.fails("field 'script' must be a string", "");
        }
    }
}

#[tokio::test]
async fn script_must_not_be_blank() {
    for blank in ["", " ", "\n", " \t\r\n\n "] {
        let reply = with_field("script", json!(blank)).await;
        reply.fails("field 'script' must not be empty", "");
    }
}

#[tokio::test]
async fn timeout_must_be_a_number() {
    for (kind, value) in values() {
        if kind != "number" {
            let reply = with_field("timeout", value).await;
            let error = reply.fails_with("field 'timeout' must be a number");
            assert_eq!(reply.failure().stdout, "", "{error}");
        }
    }
    with_field("timeout", json!("5")).await.fails_with("field 'timeout' must be a number");
}

#[tokio::test]
async fn timeout_must_lie_between_zero_and_the_limit() {
    let error = "field 'timeout' must be a number of seconds between 0 and 30";
    for value in [json!(0), json!(0.0), json!(-1), json!(-0.5), json!(31), json!(30.001), json!(1e9)] {
        with_field("timeout", value).await.fails(error, "");
    }
    for value in [json!(30), json!(30.0), json!(1), json!(2.5), json!(1e1)] {
        with_field("timeout", value).await.succeeds("1", "");
    }
}

#[tokio::test]
async fn the_limit_of_timeout_is_the_operators() {
    let server = Server::with(&[("EXECUTOR_TIMEOUT_SECONDS", "2"), ("EXECUTOR_PRELOAD", "")]);
    let script = "def main(): return 1";
    let reply = server.execute_with(script, json!({ "timeout": 3 })).await;
    reply.fails("field 'timeout' must be a number of seconds between 0 and 2", "");
    server.execute_with(script, json!({ "timeout": 2 })).await.succeeds("1", "");
    let endless = server.execute("def main():\n    while True: pass").await;
    endless.fails("TimeoutError: script exceeded its time limit of 2 s", "");
}

#[tokio::test]
async fn timeout_lowers_the_limit_of_the_job() {
    let script = "
        def main():
            print('started')
            while True:
                pass
    ";
    for (timeout, shown) in [(json!(1), "1"), (json!(0.5), "0.5")] {
        let start = std::time::Instant::now();
        let reply = Server::shared().execute_with(script, json!({ "timeout": timeout })).await;
        let error = format!("TimeoutError: script exceeded its time limit of {shown} s");
        reply.fails(&error, "started\n");
        let took = start.elapsed();
        assert!(took.as_secs_f64() >= shown.parse().expect("a number"), "{took:?}");
        assert!(took < AT_ONCE, "{took:?}");
    }
}

#[tokio::test]
async fn time_that_is_slept_or_waited_counts_too() {
    for wait in ["__import__('time').sleep(60)", "__import__('threading').Event().wait()"] {
        let script = format!("def main():\n    {wait}");
        let reply = Server::shared().execute_with(&script, json!({ "timeout": 0.5 })).await;
        reply.fails("TimeoutError: script exceeded its time limit of 0.5 s", "");
    }
}

#[tokio::test]
async fn the_time_limit_counts_before_main_too() {
    let script = "while True: pass\ndef main(): return 1";
    let reply = Server::shared().execute_with(script, json!({ "timeout": 0.5 })).await;
    reply.fails("TimeoutError: script exceeded its time limit of 0.5 s", "");
}

#[tokio::test]
async fn inputs_must_be_an_object() {
    for (kind, value) in values() {
        if kind != "object" {
            let reply = with_field("inputs", value).await;
            reply.fails("field 'inputs' must be an object", "");
        }
    }
}

#[tokio::test]
async fn inputs_are_the_keyword_arguments_of_main() {
    let script = "
        def main(name, count=2, *, flag, **rest):
            return [name, count, flag, list(rest.items())]
    ";
    let inputs = json!({ "flag": true, "name": "é\n", "z z": null, "a": [1, { "b": 0.5 }] });
    let reply = Server::shared().execute_with(script, json!({ "inputs": inputs })).await;
    let returned: Value = reply.returned();
    let mut rest = returned[3].as_array().expect("a list of pairs").clone();
    rest.sort_by_key(ToString::to_string);
    assert_eq!(json!(returned.as_array().expect("a list")[..3]), json!(["é\n", 2, true]));
    assert_eq!(json!(rest), json!([["a", [1, { "b": 0.5 }]], ["z z", null]]));
}

#[tokio::test]
async fn inputs_keep_their_order_and_their_numbers() {
    let body = r#"{"script":"def main(**i): return [list(i), i['n'], repr(i['f']), repr(i['e']), i['s']]","inputs":{"z":1,"n":123456789012345678901234567890,"a":2,"f":1.0,"e":1e-7,"s":"\u0000\ud83d\ude00"}}"#;
    let reply = Server::shared().post(body).await;
    let result = reply.success().value;
    let parts: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(&result).expect("a list");
    let text = |index: usize| parts[index].get().replace(' ', "");
    assert_eq!(text(0), r#"["z","n","a","f","e","s"]"#);
    assert_eq!(text(1), "123456789012345678901234567890");
    assert_eq!(text(2), r#""1.0""#);
    assert_eq!(text(3), r#""1e-07""#);
    let emoji: String = serde_json::from_str(parts[4].get()).expect("a text");
    assert_eq!(emoji, "\u{0}😀");
}

#[tokio::test]
async fn inputs_that_main_needs_and_does_not_get_are_its_type_error() {
    let server = Server::shared();
    let script = "def main(x): return x";
    let missing = "TypeError: main() missing 1 required positional argument: 'x'";
    server.execute(script).await.fails(missing, "");
    let other = server.execute_with(script, json!({ "inputs": { "x": 1, "y": 2 } })).await;
    other.fails("TypeError: main() got an unexpected keyword argument 'y'", "");
    let none = server.execute_with("def main(): return 1", json!({ "inputs": { "y": 2 } })).await;
    none.fails("TypeError: main() got an unexpected keyword argument 'y'", "");
    let empty = server.execute_with("def main(): return 1", json!({ "inputs": {} })).await;
    empty.succeeds("1", "");
}

#[tokio::test]
async fn stdin_must_be_a_string() {
    for (kind, value) in values() {
        if kind != "string" {
            let reply = with_field("stdin", value).await;
            reply.fails("field 'stdin' must be a string", "");
        }
    }
}

#[tokio::test]
async fn stdin_is_what_the_script_reads() {
    let script = "
        import sys

        def main():
            first = input()
            return [first, sys.stdin.readline(), sys.stdin.read(), sys.stdin.read()]
    ";
    let stdin = "eins\nzwei é\ndrei\u{0}\r\nvier";
    let reply = Server::shared().execute_with(script, json!({ "stdin": stdin })).await;
    let returned: Vec<String> = reply.returned();
    assert_eq!(returned, ["eins", "zwei é\n", "drei\u{0}\r\nvier", ""], "{reply}");
}

#[tokio::test]
async fn stdin_arrives_byte_for_byte_also_when_it_is_long() {
    let script = "
        import hashlib, os

        def main():
            whole = b''
            while chunk := os.read(0, 1 << 16):
                whole += chunk
            return [len(whole), hashlib.sha256(whole).hexdigest()]
    ";
    let stdin = "0123456789é\r\n\u{0}".repeat(100_000);
    let reply = Server::shared().execute_with(script, json!({ "stdin": stdin })).await;
    let (length, digest): (usize, String) = reply.returned();
    assert_eq!(length, stdin.len());
    assert_eq!(digest, "d954850510924ba40570eea4073b42d1e8d438a705fbd2a461524dd5c5b72c0f");
}

#[tokio::test]
async fn stdin_that_nobody_reads_does_not_hold_the_job_up() {
    let stdin = "x".repeat(3 << 20);
    let script = "def main(): return 1";
    let reply = Server::shared().execute_with(script, json!({ "stdin": stdin, "timeout": 5 })).await;
    reply.succeeds("1", "");
}

#[tokio::test]
async fn without_stdin_the_script_reads_an_end() {
    let server = Server::shared();
    let read = "import sys\ndef main(): return sys.stdin.read()";
    server.execute(read).await.succeeds(r#""""#, "");
    server.execute_with(read, json!({ "stdin": "" })).await.succeeds(r#""""#, "");
    let input = server.execute("def main(): return input()").await;
    input.fails("EOFError: EOF when reading a line", "");
}

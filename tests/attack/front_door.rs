//! The service answers every request and keeps answering.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::bench::Bench;
use super::judge::{Judge, Trouble};
use super::raw;
use super::scenario::{Drive, Outcome, Promise, Scenario, attack, step, twin};
use super::target::send;

const P: Promise = Promise::Service;
const PATIENCE: Duration = Duration::from_secs(90);

pub fn scenarios() -> Vec<Scenario> {
    let mut all = vec![
        attack(P, "svc-method", "other methods on /execute", Drive::Http(|bench| Box::pin(methods(bench)))),
        attack(P, "svc-paths", "paths that are none", Drive::Http(|bench| Box::pin(paths(bench)))),
        attack(
            P,
            "svc-bad-json",
            "bodies that are no JSON, and broken by depth",
            Drive::Http(|bench| Box::pin(bodies(bench, bad_json()))),
        ),
        attack(
            P,
            "svc-wrong-types",
            "fields of every wrong type, unknown ones, files that climb out",
            Drive::Http(|bench| Box::pin(bodies(bench, wrong_types()))),
        ),
        attack(
            P,
            "svc-content-type",
            "a declared type that is not JSON",
            Drive::Http(|bench| Box::pin(content_type(bench))),
        ),
        attack(P, "svc-large-body", "scripts of 10 MB and 40 MB", Drive::Http(|bench| Box::pin(large(bench)))).alone(),
        attack(
            P,
            "svc-key",
            "a missing, a wrong and a nearly right key, where there is one",
            Drive::Http(|bench| Box::pin(keys(bench))),
        ),
        twin(
            P,
            "svc-parallel",
            "24 plain scripts at the same time: each gets its own answer",
            Drive::Http(|bench| Box::pin(parallel(bench))),
        )
        .alone(),
        twin(P, "svc-health", "/health says what keeps each promise", Drive::Course(|bench| Box::pin(health(bench)))),
        twin(
            P,
            "svc-async-twin",
            "awaits an async main",
            Drive::Scripts(|_| {
                let program = "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 5";
                vec![step(program).judge(Judge::Returns(json!(5)))]
            }),
        ),
        twin(
            P,
            "svc-fields",
            "inputs and standard input",
            Drive::Scripts(|_| {
                let program = "import sys\ndef main(a, b=2): return [a + b, sys.stdin.read()]";
                let fields = step(program).inputs(json!({ "a": 40 })).field("stdin", json!("in"));
                vec![fields.judge(Judge::Returns(json!([42, "in"])))]
            }),
        ),
    ];
    all.extend(raw::scenarios());
    all
}

fn broken(words: impl Into<String>) -> Trouble {
    Trouble::Broken(words.into())
}

async fn methods(bench: &Bench) -> Outcome {
    for name in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "POST2"] {
        let method = Method::from_bytes(name.as_bytes()).map_err(|error| broken(error.to_string()))?;
        let reply = send(bench.http()?.request(method, "/execute"), PATIENCE).await.map_err(Trouble::Broken)?;
        let lenient = matches!(name, "HEAD" | "OPTIONS") && reply.status < 500;
        if !matches!(reply.status, 400 | 404 | 405 | 501) && !lenient || reply.status >= 500 && reply.status != 501 {
            return Err(broken(format!("{name}: {reply}")));
        }
    }
    Ok(())
}

async fn paths(bench: &Bench) -> Outcome {
    for path in
        ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/execute/..%2f", "//", "/\u{fffd}", "/.env", "/admin"]
    {
        let reply = send(bench.http()?.request(Method::GET, path), PATIENCE).await.map_err(Trouble::Broken)?;
        if reply.status >= 500 || reply.text.contains("root:") {
            return Err(broken(format!("{path}: {reply}")));
        }
    }
    Ok(())
}

/// Each of these is the sender's fault, and told so.
async fn bodies(bench: &Bench, bodies: Vec<Vec<u8>>) -> Outcome {
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let request = bench.http()?.request(Method::POST, "/execute").header("content-type", "application/json");
        let reply = send(request.body(body), PATIENCE).await.map_err(Trouble::Broken)?;
        if !(400..500).contains(&reply.status) {
            return Err(broken(format!("{shown}: {reply}")));
        }
    }
    Ok(())
}

fn bad_json() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "{\"script\": \"def main(): return 1\"",
        "{\"script\": \"def main(): return 1\"} trailing",
        "{\"script\": \"def main(): return 1\"}{}",
        "\"def main(): return 1\"",
        "// a comment\n{\"script\": \"def main(): return 1\"}",
        "{'script': 'def main(): return 1'}",
        "{\"script\": \"def main(): return 1\",}",
        "{\"script\": NaN}",
        "{\"script\": \"def main(): return 1\", \"script\": \"def main(): return 2\"}",
        "{\"script\": \"\\ud800\"}",
        "[]",
        "null",
        "5",
        "script=def+main",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    all.push(b"\xff\xfe{\0}\0".to_vec());
    all.push(b"{\"script\": \"\xff\"}".to_vec());
    all.push([b"[".repeat(200_000), b"]".repeat(200_000)].concat());
    all.push(format!("{{\"script\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes());
    all
}

fn wrong_types() -> Vec<Vec<u8>> {
    let plain = "def main(): return 1";
    let mut all: Vec<Value> = vec![json!({}), json!({ "script": "" }), json!({ "script": "  \n" })];
    all.extend([json!(5), json!(null), json!([]), json!({}), json!(true), json!(1.5)].map(|v| json!({ "script": v })));
    all.extend(
        [json!("5"), json!(0), json!(-1), json!(null), json!([]), json!(f64::MAX)]
            .map(|value| json!({ "script": plain, "timeout": value })),
    );
    all.extend([json!([]), json!("x"), json!(5)].map(|value| json!({ "script": plain, "inputs": value })));
    all.extend([json!([]), json!({}), json!(5)].map(|value| json!({ "script": plain, "stdin": value })));
    for name in ["../x", "/etc/x", "a/../../x", "", ".", "..", "a//../..", "a\u{0}b", "a/", "x/."] {
        all.push(json!({ "script": plain, "files": { name: { "text": "x" } } }));
    }
    for content in
        [json!("x"), json!({ "text": 5 }), json!({ "base64": "?" }), json!({ "text": "x", "base64": "eA==" })]
    {
        all.push(json!({ "script": plain, "files": { "x": content } }));
    }
    all.push(json!({ "script": plain, "files": { "x": { "text": "" }, "x/y": { "text": "" } } }));
    all.push(json!({ "script": plain, "timout": 5 }));
    all.iter().map(|value| value.to_string().into_bytes()).collect()
}

async fn content_type(bench: &Bench) -> Outcome {
    let body = json!({ "script": "def main(): return 1" }).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let request = bench.http()?.request(Method::POST, "/execute").header("content-type", kind);
        let reply = send(request.body(body.clone()), PATIENCE).await.map_err(Trouble::Broken)?;
        if !(400..500).contains(&reply.status) {
            return Err(broken(format!("{kind}: {reply}")));
        }
    }
    Ok(())
}

async fn large(bench: &Bench) -> Outcome {
    for megabytes in [10, 40] {
        let script = format!("def main(): return 1\n#{}", "x".repeat(megabytes << 20));
        let request = bench.http()?.request(Method::POST, "/execute").json(&json!({ "script": script }));
        match send(request, PATIENCE).await {
            Ok(reply) if reply.status == 200 || (400..500).contains(&reply.status) => {}
            Ok(reply) => return Err(broken(format!("{megabytes} MB: {reply}"))),
            // A service that has answered may close while the rest is still being sent.
            Err(words) if words.contains("Broken pipe") || words.contains("reset") => {}
            Err(words) => return Err(broken(format!("{megabytes} MB: {words}"))),
        }
    }
    Ok(())
}

async fn keys(bench: &Bench) -> Outcome {
    let http = bench.http()?;
    let Some(key) = http.key() else {
        return Err(Trouble::NotApplicable("no EXECUTOR_API_KEY".into()));
    };
    let body = json!({ "script": "def main(): return 1" });
    let near = format!("{}x", &key[..key.len().saturating_sub(1)]);
    for wrong in ["", "x", &near, &key.to_uppercase().repeat(2)] {
        let request = http.request_with_key(Method::POST, "/execute", Some(wrong)).json(&body);
        let reply = send(request, PATIENCE).await.map_err(Trouble::Broken)?;
        if !matches!(reply.status, 401 | 403) {
            return Err(broken(format!("a wrong key: {reply}")));
        }
    }
    let request = http.request_with_key(Method::POST, "/execute", None).json(&body);
    let reply = send(request, PATIENCE).await.map_err(Trouble::Broken)?;
    if matches!(reply.status, 401 | 403) { Ok(()) } else { Err(broken(format!("no key: {reply}"))) }
}

async fn parallel(bench: &Bench) -> Outcome {
    let client = Arc::new(bench.http()?.request(Method::POST, "/execute"));
    let mut running = JoinSet::new();
    for number in 0..24 {
        let request = client.try_clone().ok_or_else(|| broken("a request without a body can be copied"))?;
        running.spawn(async move { (number, one_of_many(request, number).await) });
    }
    for (number, outcome) in running.join_all().await {
        outcome.map_err(|words| broken(format!("number {number}: {words}")))?;
    }
    Ok(())
}

async fn one_of_many(request: reqwest::RequestBuilder, number: u64) -> Result<(), String> {
    let script = format!("def main():\n    print('out {number}')\n    return {number}");
    let body = json!({ "script": script });
    for _ in 0..100 {
        let request = request.try_clone().ok_or("a request without a body can be copied")?;
        let reply = send(request.json(&body), PATIENCE).await?;
        if matches!(reply.status, 429 | 503) {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        reply.well_formed()?;
        let right = reply.result() == Some(&json!(number)) && reply.stdout() == format!("out {number}\n");
        return if right { Ok(()) } else { Err(format!("{reply}")) };
    }
    Err("busy for ever".into())
}

async fn health(bench: &Bench) -> Outcome {
    let health = bench.target.health().await.map_err(Trouble::Broken)?;
    for promise in ["no_network", "no_files", "no_other_processes", "no_secrets", "bounded", "nothing_left_behind"] {
        if health["promises"][promise].is_null() || health["promises"][promise]["kept"] == json!(false) {
            return Err(broken(format!("{promise} is not kept: {health}")));
        }
    }
    Ok(())
}

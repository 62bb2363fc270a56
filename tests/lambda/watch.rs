//! `make watch`: the function under `cargo lambda watch`, as people run it while they work on it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::emulator::{binary, example, free_address, parsed, project, tool, wait_for_listener};
use crate::support::process::Watched;
use crate::support::{Owned, PATIENCE, Reply, runtime};

/// How long compiling the function may take where the tests' own build has nothing that can be used again.
const COMPILING: Duration = Duration::from_mins(10);

/// A running `make watch`.
struct Watch {
    process: Owned,
    address: SocketAddr,
    failure: mpsc::UnboundedReceiver<String>,
}

impl Watch {
    fn start(variables: &[(&str, &str)]) -> Self {
        let address = free_address();
        let (report, failure) = mpsc::unbounded_channel();
        let process = Owned::spawn(command(address, variables), move |line| {
            if line.contains("could not compile") || line.contains("command exited") {
                let _ = report.send(line.to_owned());
            }
        });
        wait_for_listener(address, &process);
        Self { process, address, failure }
    }

    /// Posts to a path. The first request waits until the function is compiled and has started.
    async fn post(&mut self, path: &str, body: &Value) -> Reply {
        let client = Client::builder().no_proxy().timeout(COMPILING).build().expect("a client without TLS");
        let url = format!("http://{}{path}", self.address);
        let response = tokio::select! {
            response = client.post(url).json(body).send() => response,
            Some(line) = self.failure.recv() => panic!("{line}\n{}", self.process.log()),
        };
        let response = response.unwrap_or_else(|error| panic!("{error:?}\n{}", self.process.log()));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("the whole answer comes").to_vec();
        Reply::new(status, headers, body).with_log(self.process.log())
    }

    /// Posts a request to the function's URL.
    async fn url(&mut self, path: &str, body: &Value) -> Reply {
        self.post(&format!("/lambda-url/py-executor-lambda{path}"), body).await
    }

    /// Invokes the function with a payload; the answer's text.
    async fn invoke(&mut self, payload: &Value) -> String {
        let reply = self.post("/2015-03-31/functions/py-executor-lambda/invocations", payload).await;
        assert_eq!(reply.status, 200, "{reply}");
        reply.body
    }
}

/// What the tests have compiled is used again: the same target directory, but none of the variables with which
/// `cargo test` runs them.
fn command(address: SocketAddr, variables: &[(&str, &str)]) -> Command {
    tool("cargo-lambda");
    let target = Path::new(env!("CARGO_BIN_EXE_py-executor-lambda")).ancestors().nth(2).expect("<target>/<profile>/");
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$@" >&2"#, "sh", "make", "--no-print-directory", "watch"]);
    command.arg(format!("WATCH_ADDRESS={}", address.ip()));
    command.arg(format!("WATCH_PORT={}", address.port()));
    // With the feature that all tests are built with, so that nothing has to be built anew.
    command.arg("WATCH_FLAGS=--ignore-changes --features otlp");
    let kept = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTFLAGS"];
    let kept = kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.current_dir(project()).env_clear().envs(kept);
    command.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true").env("EXECUTOR_RUNTIME", runtime());
    command.envs(variables.iter().copied());
    command
}

/// The request that an example for people holds.
fn request(name: &str) -> Value {
    parsed(parsed(&example(name))["body"].as_str().expect("an event with a body"))
}

#[tokio::test]
async fn the_function_answers_under_cargo_lambda_watch_and_nothing_of_it_survives() {
    // Compiling replaces the binary under test: what other tests start has to be set aside before.
    binary();
    let mut watch = Watch::start(&[]);
    let (basic, pandas) = (request("http-api"), request("http-api-pandas"));

    watch.url("/execute", &basic).await.succeeds("5", "hello\n");
    watch.url("/execute", &pandas).await.succeeds("23.0", "");
    watch.url("/execute", &json!({ "script": 5 })).await.fails("field 'script' must be a string", "");
    watch.url("/nowhere", &basic).await.failure_with(404);

    assert_eq!(watch.invoke(&basic).await, r#"{"result":5,"stdout":"hello\n"}"#);
    assert_eq!(watch.invoke(&pandas).await, r#"{"result":23.0,"stdout":""}"#);
    for name in ["http-api", "function-url"] {
        let answer = parsed(&watch.invoke(&parsed(&example(name))).await);
        assert_eq!(answer["statusCode"], 200, "{answer}");
        assert_eq!(answer["body"], r#"{"result":5,"stdout":"hello\n"}"#);
    }

    let processes: Vec<Watched> =
        watch.process.descendants().iter().filter_map(|entry| Watched::new(entry.pid)).collect();
    assert!(processes.len() >= 4, "cargo-lambda, the function, a warm Python and a worker");
    drop(watch);
    assert!(processes.iter().all(|process| process.ends_within(PATIENCE)));
    answers_are_streamed().await;
}

/// As by a URL with RESPONSE_STREAM: what is printed arrives while the script runs. Direct invocations are answered as ever.
async fn answers_are_streamed() {
    let mut watch = Watch::start(&[("EXECUTOR_STREAM", "on")]);
    let basic = request("http-api");
    watch.url("/execute", &basic).await.succeeds("5", "hello\n");
    assert_eq!(watch.invoke(&basic).await, r#"{"result":5,"stdout":"hello\n"}"#);

    let script = "import time\ndef main():\n    print('first')\n    time.sleep(3)\n    return time.time()";
    let url = format!("http://{}/lambda-url/py-executor-lambda/v1/run", watch.address);
    let client = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client without TLS");
    let request = client.post(url).header("accept", "text/event-stream").json(&json!({ "script": script }));
    let mut response = request.send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("first") {
        text += &String::from_utf8_lossy(&response.chunk().await.expect("the stream goes on").expect("it is not over"));
    }
    let first = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    while let Some(chunk) = response.chunk().await.expect("the stream is not cut") {
        text += &String::from_utf8_lossy(&chunk);
    }
    let outcome = text.split("event: outcome\ndata: ").nth(1).expect("an outcome");
    let ended = parsed(outcome)["result"].as_f64().expect("a time");
    assert!(first < ended - 1.0, "the first line came at {first}, the script ended at {ended}");
}

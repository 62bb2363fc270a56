//! The same as events, sent as they come.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Server, announcing, dedent, until};

/// A stream of events that is being read.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn of(server: &Server, script: &str, mut fields: Value) -> Self {
        fields["script"] = Value::from(dedent(script));
        let request = server.request(Method::POST, "/v1/run").header("accept", "text/event-stream").json(&fields);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.starts_with(':') {
                    continue;
                }
                let (name, data) = event.split_once('\n').expect("two lines");
                let name = name.strip_prefix("event: ").expect("a name").to_owned();
                let data = data.strip_prefix("data: ").expect("data");
                return Some((name, serde_json::from_str(data).expect("JSON")));
            }
            let chunk = self.response.chunk().await.expect("the stream is not cut")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("events are whole"));
        }
    }

    async fn rest(mut self) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn printed(events: &[(String, Value)], stream: &str) -> String {
    events.iter().filter(|(name, _)| name == stream).map(|(_, text)| text.as_str().expect("a text")).collect()
}

#[tokio::test]
async fn a_line_comes_while_the_script_runs() {
    let script = "
        import sys, time

        def main():
            for number in range(5):
                sys.stdout.write(f'{number} {time.time()}\\n')
                time.sleep(0.3)
            return 'done'
    ";
    let mut events = Events::of(Server::shared(), script, json!({})).await;
    for number in 0..5 {
        let (name, text) = events.next().await.expect("an event");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let (index, time) = text.as_str().expect("a text").trim().split_once(' ').expect("two words");
        assert_eq!((name.as_str(), index), ("stdout", number.to_string().as_str()));
        // What it says of the time is a benchmark elsewhere; here, that it did not wait for the next line or for the end.
        assert!(now - time.parse::<f64>().expect("a time") < 0.25, "{}", now - time.parse::<f64>().unwrap());
    }
    let rest = events.rest().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!((rest[0].0.as_str(), &rest[0].1["result"]), ("outcome", &json!("done")));
}

#[tokio::test]
async fn the_outcome_is_the_same_object() {
    let script = "
        import os, sys

        def main():
            sys.stdout.write('a\\rb\\n\\n')
            sys.stderr.write('err')
            os.write(1, b'\\xff\\xf0\\x9f')
            os.write(1, b'\\x98\\x80\\n')
            open('file', 'w').write('x')
            1 / 0
    ";
    let events = Events::of(Server::shared(), script, json!({})).await.rest().await;
    let (name, outcome) = events.last().expect("an outcome");
    assert_eq!(name, "outcome");
    assert_eq!(outcome["stdout"], "a\rb\n\n\u{fffd}😀\n");
    assert_eq!(
        (printed(&events, "stdout"), printed(&events, "stderr")),
        (outcome["stdout"].as_str().unwrap().to_owned(), "err".to_owned())
    );
    assert_eq!(
        (&outcome["error"]["type"], &outcome["files"][0]["name"]),
        (&json!("ZeroDivisionError"), &json!("file"))
    );
}

#[tokio::test]
async fn what_is_left_out_is_left_out_of_the_events_too() {
    let script = "
        import sys

        def main():
            for number in range(400_000):
                sys.stdout.write(f'{number}\\n')
    ";
    let events = Events::of(Server::shared(), script, json!({})).await.rest().await;
    let outcome = &events.last().expect("an outcome").1;
    assert!(outcome["truncated"]["stdout"].as_u64() > Some(1 << 20), "{}", outcome["truncated"]);
    assert_eq!(printed(&events, "stdout"), outcome["stdout"].as_str().unwrap());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_job() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let name = crate::support::unique();
    let script =
        [announcing(&name).as_str(), "\nimport time\ndef main():\n    print('up')\n    time.sleep(60)\n"].concat();
    let mut events = Events::of(&server, &script, json!({})).await;
    assert_eq!(events.next().await.expect("an event").0, "stdout");
    let found = || crate::support::process::named(&name).into_iter().find(crate::support::process::Entry::is_alive);
    let process = until("the script", found).await.watch().expect("it is there");
    drop(events);
    let ended = tokio::task::spawn_blocking(move || process.ends_within(Duration::from_secs(5)));
    assert!(ended.await.expect("it can be waited for"), "the script runs on");
    server.is_well().await;
}

/// Nothing waits for a client that reads slowly: neither the script, nor its place, nor more memory than is kept of its output.
#[tokio::test]
async fn a_client_that_reads_nothing_holds_nothing_up() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let script = "
        import os

        def main():
            for _ in range(2000):
                os.write(1, b'x' * 65536)
                os.write(2, b'y')
    ";
    server.is_well().await;
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
    };
    let before = memory();
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(Events::of(&server, script, json!({})).await);
    }
    let begun = Instant::now();
    server.is_well().await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let after = memory();
    assert!(after < before + 64, "{before} MiB became {after} MiB");
    for events in open {
        let events = events.rest().await;
        assert_eq!(events.last().expect("an outcome").1["status"], "ok");
    }
}

#[tokio::test]
async fn a_bad_request_is_no_stream() {
    let request = Server::shared().request(Method::POST, "/v1/run").header("accept", "text/event-stream");
    let reply = Server::shared().send(request.json(&json!({ "script": 1 }))).await;
    reply.fails("field 'script' must be a string", "");
}

#[tokio::test]
async fn where_there_is_no_room_there_is_no_stream() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_QUEUE", "0"), ("EXECUTOR_PRELOAD", "")]);
    let mut first = Events::of(&server, "import time\ndef main():\n    print(1)\n    time.sleep(60)", json!({})).await;
    first.next().await.expect("it runs");
    let request = server.request(Method::POST, "/v1/run").header("accept", "text/event-stream");
    let reply = server.send(request.json(&json!({ "script": "def main(): pass" }))).await;
    reply.failure_with(503);
    assert_eq!(reply.header("retry-after"), "1");
}

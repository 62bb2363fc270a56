//! Traces, as a collector gets them (OTLP over HTTP).

#[path = "../support/mod.rs"]
mod support;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use reqwest::Method;
use support::{Server, until};

const TRACE: [u8; 16] = *b"\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a collector was sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Bytes>>>);

impl Collector {
    /// Listens; gives its address.
    async fn start(&self) -> String {
        let received = self.clone();
        let take = move |body: Bytes| {
            received.0.lock().expect("no test panics here").push(body);
            async {}
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    /// Names and ids stand in a message of protocol buffers as they are.
    fn has(&self, bytes: &[u8]) -> bool {
        let messages = self.0.lock().expect("no test panics here");
        messages.iter().any(|message| message.windows(bytes.len()).any(|window| window == bytes))
    }
}

async fn execute(server: &Server) {
    let request = server.request(Method::POST, "/execute").header("traceparent", TRACEPARENT);
    server.send(request.body(r#"{"script":"def main(): return 5"}"#)).await.succeeds("5", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_spans_of_a_request_in_the_callers_trace() {
    let collector = Collector::default();
    let endpoint = collector.start().await;
    let mut server = Server::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("EXECUTOR_PRELOAD", "")]);
    execute(&server).await;
    // Spans that were not sent yet are sent at the end.
    server.process().signal(rustix::process::Signal::TERM);
    let status = server.process_mut().wait(support::PATIENCE);
    assert!(status.success(), "{}", server.log());
    until("the spans have come", || collector.has(&TRACE).then_some(())).await;
    for name in ["POST /execute", "queue", "run", "read", "http.response.status_code", "py-executor"] {
        assert!(collector.has(name.as_bytes()), "{name}");
    }
    assert!(!collector.has(b"def main()"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_log_name_the_trace_that_was_begun() {
    let collector = Collector::default();
    let endpoint = collector.start().await;
    let server = Server::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("EXECUTOR_PRELOAD", "")]);
    server.is_well().await;
    let line = until("it is logged", || {
        let text = server.log().text();
        text.lines().find(|line| line.contains("POST /execute 200")).map(str::to_owned)
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
    let trace = line["trace_id"].as_str().unwrap_or_else(|| panic!("no trace: {line}"));
    let id: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&trace[2 * at..2 * at + 2], 16).expect("hexadecimal")).collect();
    until("the same has come", || collector.has(&id).then_some(())).await;
    assert!(line.get("otel.kind").is_none(), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_scripts_run_all_the_same() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let mut server =
        Server::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}")), ("EXECUTOR_PRELOAD", "")]);
    for _ in 0..3 {
        execute(&server).await;
    }
    server.process().signal(rustix::process::Signal::TERM);
    assert!(server.process_mut().wait(support::PATIENCE).success(), "{}", server.log());
}

//! The log: a line for each request, in the form that the platform reads.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::keys::FIRST;
use crate::support::connection::Connection;
use crate::support::{Log, Server, until};

const SECRET: &str = "correct horse battery staple";

fn lines(log: &Log) -> Vec<Value> {
    let text = log.text();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// The line about a request.
pub async fn line(log: &Log, id: &str) -> Value {
    let is_it = |line: &Value| line["request_id"] == id && line.get("total_ms").is_some();
    until("the request is logged", || lines(log).into_iter().find(is_it)).await
}

/// Runs a script that has a secret, prints and returns it. It cannot be told whether a script is a secret.
async fn run(server: &Server, path: &str, id: &str, headers: &[(&str, &str)]) {
    let script = format!(
        "import sys\ndef main():\n    print('{SECRET}')\n    print('err', file=sys.stderr)\n    return '{SECRET}'"
    );
    let mut request = server.request(Method::POST, path).header("x-request-id", id);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = server.send(request.body(json!({ "script": script }).to_string())).await;
    assert_eq!(reply.status, 200, "{reply}");
}

#[tokio::test]
async fn a_job_is_one_line_without_its_script_and_output() {
    let keys = format!("ci:{FIRST}");
    let server = Server::with(&[("EXECUTOR_API_KEYS", &keys), ("EXECUTOR_PRELOAD", "")]);
    for path in ["/execute", "/v1/run"] {
        let id = format!("job{path}");
        run(&server, path, &id, &[("x-api-key", "first key"), ("user-agent", "test/1")]).await;
        let line = line(server.log(), &id).await;
        for (name, value) in [
            ("level", json!("INFO")),
            ("message", json!(format!("POST {path} 200 ok"))),
            ("endpoint", json!(path)),
            ("method", json!("POST")),
            ("status", json!(200)),
            ("outcome", json!("ok")),
            ("key", json!("ci")),
            ("client", json!("127.0.0.1")),
            ("user_agent", json!("test/1")),
            ("stdout_bytes", json!(SECRET.len() + 1)),
            ("stderr_bytes", json!(4)),
        ] {
            assert_eq!(line[name], value, "{name}: {line}");
        }
        for name in
            ["read_ms", "queue_ms", "run_ms", "cpu_ms", "total_ms", "max_rss_bytes", "request_bytes", "response_bytes"]
        {
            assert!(line[name].as_f64().is_some_and(|number| number > 0.0), "{name}: {line}");
        }
        assert!(line["timestamp"].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')), "{line}");
        let about = lines(server.log()).into_iter().filter(|line| line["request_id"] == id.as_str());
        assert_eq!(about.count(), 1, "{}", server.log());
    }
    let text = server.log().text();
    assert!(!text.contains(SECRET) && !text.contains("first key"), "{text}");
}

#[tokio::test]
async fn scripts_are_logged_where_the_operator_wants_it() {
    let server = Server::with(&[("EXECUTOR_LOG_SCRIPTS", "on"), ("EXECUTOR_PRELOAD", "")]);
    run(&server, "/v1/run", "told", &[]).await;
    let line = line(server.log(), "told").await;
    assert!(line["script"].as_str().is_some_and(|script| script.contains("def main()")), "{line}");
    assert_eq!((&line["stdout"], &line["stderr"]), (&json!(format!("{SECRET}\n")), &json!("err\n")), "{line}");
    let long = format!("def main(): print('{}')", "\u{e9}".repeat(20_000));
    let request = server.request(Method::POST, "/execute").header("x-request-id", "long");
    server.send(request.body(json!({ "script": long }).to_string())).await;
    let line = self::line(server.log(), "long").await;
    for name in ["script", "stdout"] {
        let bytes = line[name].as_str().map_or(0, str::len);
        assert!((8191..=8192).contains(&bytes), "{name}: {bytes}");
    }
}

#[tokio::test]
async fn what_did_not_run_is_logged_too() {
    let server = Server::with(&[("EXECUTOR_RATE", "2/hour"), ("EXECUTOR_PRELOAD", "")]);
    for (id, body, status) in
        [("one", "no JSON", 400), ("two", r#"{"script":"def main(): 1/0"}"#, 400), ("three", "{}", 429)]
    {
        let request = server.request(Method::POST, "/execute").header("x-request-id", id).body(body);
        assert_eq!(server.send(request).await.status, status);
        let line = line(server.log(), id).await;
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["outcome"], if id == "two" { json!("error") } else { Value::Null }, "{line}");
        assert_eq!(line["level"], if status == 429 { "WARN" } else { "INFO" }, "{line}");
    }
    // Nobody wants to read of each probe.
    server.get("/health").await;
    assert!(!server.log().text().contains("\"/health\""), "{}", server.log());
}

#[tokio::test]
async fn an_answer_without_a_body_is_no_client_that_went_away() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    for (id, path, status) in [("one", "/v1/packages", 200), ("two", "/nowhere", 404)] {
        let request = server.request(Method::HEAD, path).header("x-request-id", id);
        assert_eq!(server.send(request).await.status, status);
        assert_eq!(line(server.log(), id).await["status"], status, "{path}");
    }
}

/// A probe has no line, so it must not take along what the next line is to say.
#[tokio::test]
async fn a_probe_does_not_hide_that_zygotes_have_started() {
    let server = Server::with(&[("EXECUTOR_LOG_FORMAT", "cloudwatch"), ("EXECUTOR_PRELOAD", "")]);
    assert_eq!(server.get("/health").await.status, 200);
    let request = server.request(Method::POST, "/execute").header("x-request-id", "first");
    server.send(request.body(r#"{"script":"def main(): return 5"}"#)).await;
    assert_eq!(line(server.log(), "first").await["zygote_starts"], 1);
}

#[tokio::test]
async fn a_client_cannot_fill_the_log() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let method = Method::from_bytes(&[b'M'; 5000]).expect("a method");
    let request = server.request(method, "/nowhere").header("x-request-id", "long");
    assert_eq!(server.send(request.header("user-agent", "u".repeat(50_000))).await.status, 404);
    let line = line(server.log(), "long").await;
    assert!(line.to_string().len() < 2000, "{line}");
}

#[tokio::test]
async fn a_client_that_went_away_is_logged_as_that() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let body = r#"{"script":"import time\ndef main():\n    time.sleep(20)"}"#;
    let head =
        format!("POST /execute HTTP/1.1\r\nHost: x\r\nX-Request-Id: gone\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut connection = Connection::open(server.address()).await;
    connection.write(&(head + body)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(connection);
    let line = line(server.log(), "gone").await;
    assert_eq!((&line["outcome"], line.get("status")), (&json!("cancelled"), None), "{line}");
    assert_eq!(line["message"], "POST /execute client went away cancelled", "{line}");
    super::metrics::until(&server, "it is counted", |scrape| {
        scrape.value(r#"executor_requests_total{endpoint="/execute",status="499"}"#) == 1
            && scrape.value(r#"executor_jobs_total{endpoint="/execute",outcome="cancelled"}"#) == 1
    })
    .await;
}

/// A stream is over when its last event has been sent.
#[tokio::test]
async fn a_stream_is_logged_at_its_end() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    run(&server, "/v1/run", "stream", &[("accept", "text/event-stream")]).await;
    let line = line(server.log(), "stream").await;
    assert_eq!((&line["outcome"], &line["status"]), (&json!("ok"), &json!(200)), "{line}");
    assert!(line["run_ms"].as_f64() > Some(0.0) && line["response_bytes"].as_u64() > Some(100), "{line}");
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_line_says_what_trace_it_belongs_to() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    run(&server, "/execute", "traced", &[("traceparent", &traceparent)]).await;
    let line = line(server.log(), "traced").await;
    assert_eq!((&line["trace_id"], &line["level"]), (&json!(TRACE), &json!("INFO")), "{line}");
}

#[tokio::test]
async fn cloud_logging_finds_what_it_looks_for() {
    let variables =
        [("EXECUTOR_LOG_FORMAT", "google"), ("GOOGLE_CLOUD_PROJECT", "a-project"), ("EXECUTOR_PRELOAD", "")];
    let server = Server::with(&variables);
    let trace = format!("{TRACE}/17;o=1");
    run(&server, "/execute", "google", &[("x-cloud-trace-context", &trace), ("user-agent", "test/1")]).await;
    let line = line(server.log(), "google").await;
    assert_eq!(line["severity"], "INFO", "{line}");
    assert_eq!(line["logging.googleapis.com/trace"], format!("projects/a-project/traces/{TRACE}"), "{line}");
    let request = &line["httpRequest"];
    let bytes = json!({ "result": SECRET, "stdout": format!("{SECRET}\n") }).to_string().len();
    for (name, value) in [
        ("requestMethod", json!("POST")),
        ("requestUrl", json!("/execute")),
        ("status", json!(200)),
        ("remoteIp", json!("127.0.0.1")),
        ("userAgent", json!("test/1")),
        ("responseSize", json!(bytes.to_string())),
    ] {
        assert_eq!(request[name], value, "{name}: {line}");
    }
    let latency = request["latency"].as_str().and_then(|text| text.strip_suffix('s')?.parse::<f64>().ok());
    assert!(latency > Some(0.0), "{line}");
    assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    assert!(line.get("timestamp").is_none() && line.get("level").is_none(), "{line}");
    // The other lines too.
    assert!(lines(server.log()).iter().all(|line| line["severity"].is_string()), "{}", server.log());
}

#[tokio::test]
async fn the_platform_decides_the_format_unless_the_operator_does() {
    for (variables, member) in [
        (&[("K_SERVICE", "executor")][..], "severity"),
        (&[("K_SERVICE", "executor"), ("EXECUTOR_LOG_FORMAT", "json")], "level"),
    ] {
        let server = Server::with(&[variables, &[("EXECUTOR_PRELOAD", "")]].concat());
        run(&server, "/execute", "platform", &[]).await;
        let line = line(server.log(), "platform").await;
        assert!(line.get(member).is_some(), "{variables:?}: {line}");
    }
}

#[tokio::test]
async fn people_can_read_it_too() {
    let server = Server::with(&[("EXECUTOR_LOG_FORMAT", "text"), ("EXECUTOR_PRELOAD", "")]);
    run(&server, "/execute", "text", &[]).await;
    let text = until("it is logged", || Some(server.log().text()).filter(|text| text.contains("POST /execute"))).await;
    assert!(text.contains("POST /execute 200 ok") && text.contains("INFO"), "{text}");
}

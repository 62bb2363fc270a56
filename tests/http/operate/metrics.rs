//! `GET /metrics`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;

use crate::support::{PATIENCE, Server};

/// What a scrape has found: each series with its value.
pub struct Scrape {
    text: String,
    series: BTreeMap<String, f64>,
}

impl Scrape {
    pub async fn of(server: &Server) -> Self {
        Self::with_key(server, "").await
    }

    pub async fn with_key(server: &Server, key: &str) -> Self {
        let reply = server.send(server.request(Method::GET, "/metrics").header("x-api-key", key)).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let text = reply.body.clone();
        assert!(text.ends_with("# EOF\n"), "{text}");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let series = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
        });
        Self { series: series.collect(), text }
    }

    /// Each series, without its value.
    pub fn series(&self) -> impl Iterator<Item = &str> {
        self.series.keys().map(String::as_str)
    }

    /// A whole number; 0 where nothing was counted yet.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are counts")]
    pub fn value(&self, series: &str) -> u64 {
        self.series.get(series).map_or(0, |value| *value as u64)
    }
}

impl fmt::Display for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Scrapes until it is so.
pub async fn until(server: &Server, what: &str, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
    let all = async {
        loop {
            let scrape = Scrape::of(server).await;
            if is_so(&scrape) {
                return scrape;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, all).await {
        Ok(scrape) => scrape,
        Err(error) => {
            let below = server.process().descendants();
            panic!("in vain ({error}): {what}\n{}{below:#?}\n{}", Scrape::of(server).await, server.log())
        }
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let server = Server::start();
    server.is_well().await;
    server.execute("def main(): 1 / 0").await.fails("ZeroDivisionError: division by zero", "");
    server.execute_with("def main():\n    while True: pass", serde_json::json!({ "timeout": 0.2 })).await.failure();
    server.post_to("/v1/run", r#"{"script":"import pandas\ndef main(): return 1"}"#).await;
    server.post_to("/v1/check", r#"{"script":"def main(): return 1"}"#).await;
    server.post("no JSON").await.failure();
    server.get("/nowhere").await.failure_with(404);
    let scrape = until(&server, "all is counted", |scrape| {
        scrape.value(r#"executor_jobs_total{endpoint="/v1/check",outcome="ok"}"#) == 1
    })
    .await;
    for (series, value) in [
        (r#"executor_requests_total{endpoint="/execute",status="200"}"#, 1),
        (r#"executor_requests_total{endpoint="/execute",status="400"}"#, 3),
        (r#"executor_requests_total{endpoint="/v1/run",status="200"}"#, 1),
        (r#"executor_requests_total{endpoint="other",status="404"}"#, 1),
        (r#"executor_jobs_total{endpoint="/execute",outcome="ok"}"#, 1),
        (r#"executor_jobs_total{endpoint="/execute",outcome="error"}"#, 1),
        (r#"executor_jobs_total{endpoint="/execute",outcome="timeout"}"#, 1),
        (r#"executor_jobs_total{endpoint="/v1/run",outcome="ok"}"#, 1),
        (r#"executor_request_duration_seconds_count{endpoint="/execute"}"#, 4),
        (r#"executor_job_phase_duration_seconds_count{phase="read"}"#, 5),
        (r#"executor_job_phase_duration_seconds_count{phase="queue"}"#, 5),
        (r#"executor_job_phase_duration_seconds_count{phase="run"}"#, 5),
        (r#"executor_job_phase_duration_seconds_bucket{le="60.0",phase="run"}"#, 5),
        (r#"executor_zygote_starts_total{zygote="base"}"#, 1),
        (r#"executor_zygote_starts_total{zygote="preloaded"}"#, 1),
        ("executor_ready", 1),
        ("executor_workers_lost_total", 0),
        ("executor_connections", 1),
    ] {
        assert_eq!(scrape.value(series), value, "{series}\n{scrape}");
    }
}

/// A gauge comes back to where it was; a counter does not.
#[tokio::test]
async fn the_state_of_the_service_is_told() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let parked = |scrape: &Scrape| scrape.value(r#"executor_workers_parked{zygote="base"}"#);
    until(&server, "workers wait for jobs", |scrape| parked(scrape) == 5).await;
    let job = |seconds: f32| {
        let body = format!(r#"{{"script":"import time\ndef main():\n    time.sleep({seconds})"}}"#);
        server.send(server.request(Method::POST, "/execute").body(body))
    };
    let watch = async {
        until(&server, "one runs, two wait", |scrape| {
            (scrape.value("executor_jobs_running"), scrape.value("executor_jobs_waiting")) == (1, 2)
        })
        .await
    };
    let (scrape, ..) = tokio::join!(watch, job(1.0), job(0.1), job(0.1));
    assert!(parked(&scrape) > 0, "{scrape}");
    let rest = until(&server, "all is quiet", |scrape| {
        (scrape.value("executor_jobs_running"), scrape.value("executor_jobs_waiting")) == (0, 0)
    })
    .await;
    assert_eq!(rest.value(r#"executor_jobs_total{endpoint="/execute",outcome="ok"}"#), 3, "{rest}");
    until(&server, "its memory is known", |scrape| {
        scrape.value(r#"executor_zygote_memory_bytes{zygote="base"}"#) > 1 << 20
    })
    .await;
}

#[tokio::test]
async fn a_lost_zygote_is_counted() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    server.is_well().await;
    for zygote in server.zygotes() {
        zygote.watch().expect("it is there").signal(Signal::KILL);
    }
    server.is_well().await;
    let scrape = until(&server, "another one is up", |scrape| {
        scrape.value(r#"executor_zygote_starts_total{zygote="base"}"#) == 2
    })
    .await;
    assert_eq!(scrape.value(r#"executor_zygote_ends_total{zygote="base",reason="died"}"#), 1, "{scrape}");
}

//! Whose turn it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::task::JoinSet;

use super::keys::{FIRST, SECOND, THIRD};
use super::metrics::{Scrape, until};
use crate::support::server::AT_ONCE;
use crate::support::{Reply, Server};

const SLOW: &str = r#"{"script":"import time\ndef main():\n    time.sleep(0.2)\n    return 5"}"#;
const LONG: &str = r#"{"script":"import time\ndef main(): time.sleep(2)"}"#;
const ENDLESS: &str = r#"{"script":"import time\ndef main(): time.sleep(29)"}"#;
const FAST: &str = r#"{"script":"def main(): return 5"}"#;

async fn ask(server: &Server, key: &str, body: &'static str) -> Reply {
    server.send(server.request(Method::POST, "/execute").header("x-api-key", key).body(body)).await
}

async fn slow(server: Arc<Server>) -> Reply {
    ask(&server, "first key", SLOW).await
}

/// Has a caller keep the service busy, with a job that runs and so many that wait.
async fn hog(server: &Arc<Server>, waiting: u64) -> JoinSet<Reply> {
    let mut jobs = JoinSet::new();
    for _ in 0..=waiting {
        jobs.spawn(slow(Arc::clone(server)));
    }
    loop {
        let scrape = Scrape::with_key(server, "second key").await;
        if scrape.value("executor_jobs_waiting") == waiting {
            return jobs;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn server(variables: &[(&str, &str)]) -> Arc<Server> {
    let keys = format!("hog:{FIRST},other:{SECOND},third:{THIRD}");
    let mut all = vec![("EXECUTOR_API_KEYS", keys.as_str()), ("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")];
    all.extend(variables);
    Arc::new(Server::with(&all))
}

#[tokio::test]
async fn a_caller_with_many_jobs_does_not_keep_others_waiting() {
    let server = server(&[("EXECUTOR_QUEUE_SECONDS", "60")]);
    let mut jobs = hog(&server, 20).await;
    let start = Instant::now();
    ask(&server, "second key", FAST).await.succeeds("5", "");
    let waited = start.elapsed();
    let mut left = 0;
    while let Some(reply) = jobs.join_next().await {
        reply.expect("the request does not panic").succeeds("5", "");
        left += usize::from(start.elapsed() > waited);
    }
    // All of them take four seconds, and the other one waits for one or two.
    assert!(left > 10, "{left}");
}

#[tokio::test]
async fn a_caller_with_many_jobs_does_not_take_the_room_of_others() {
    let server = server(&[("EXECUTOR_QUEUE_SECONDS", "60"), ("EXECUTOR_QUEUE", "8")]);
    // With the one place and the spare one taken, there is room for seven to wait.
    let third = tokio::spawn({
        let server = Arc::clone(&server);
        async move { ask(&server, "third key", LONG).await }
    });
    while Scrape::with_key(&server, "second key").await.value("executor_jobs_running") == 0 {}
    let mut jobs = hog(&server, 7).await;
    ask(&server, "first key", SLOW).await.failure_with(503);
    ask(&server, "second key", FAST).await.succeeds("5", "");
    let mut refused = 0;
    while let Some(reply) = jobs.join_next().await {
        let reply = reply.expect("the request does not panic");
        if reply.status == 503 {
            refused += 1;
            reply.failure_with(503);
        } else {
            reply.succeeds("5", "");
        }
    }
    assert_eq!(refused, 1);
    third.await.expect("the request does not panic").succeeds("null", "");
}

/// Callers are told apart by their addresses here, and the hog's scripts last longer than others would wait.
#[tokio::test]
async fn a_caller_that_has_all_places_does_not_shut_others_out() {
    let variables = [("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_TRUSTED_PROXIES", "1"), ("EXECUTOR_PRELOAD", "")];
    let server = Arc::new(Server::with(&variables));
    let mut hog = JoinSet::new();
    for _ in 0..3 {
        let request = server.request(Method::POST, "/execute").header("x-forwarded-for", "192.0.2.1").body(ENDLESS);
        hog.spawn(request.send());
    }
    let has_all =
        |scrape: &Scrape| (scrape.value("executor_jobs_running"), scrape.value("executor_jobs_waiting")) == (2, 1);
    until(&server, "the hog has all places", has_all).await;
    for number in 2..14 {
        let address = format!("192.0.2.{number}");
        let start = Instant::now();
        let request = server.request(Method::POST, "/execute").header("x-forwarded-for", address).body(FAST);
        server.send(request).await.succeeds("5", "");
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    }
    until(&server, "only the hog is left, with no more than before", has_all).await;
}

#[tokio::test]
async fn nobody_waits_for_what_will_not_come() {
    let server = server(&[("EXECUTOR_QUEUE_SECONDS", "1")]);
    // The service learns how long scripts take.
    for _ in 0..10 {
        ask(&server, "first key", SLOW).await.succeeds("5", "");
    }
    let mut jobs = JoinSet::new();
    for _ in 0..40 {
        let job = slow(Arc::clone(&server));
        jobs.spawn(async { (Instant::now(), job.await, Instant::now()) });
    }
    let (mut answered, mut at_once) = (0, 0);
    while let Some(job) = jobs.join_next().await {
        let (asked, reply, told) = job.expect("the request does not panic");
        if reply.status == 200 {
            answered += 1;
        } else {
            reply.failure_with(503);
            let seconds: u64 = reply.header("retry-after").parse().expect("seconds");
            assert!((1..=10).contains(&seconds), "{reply}");
            at_once += usize::from(told - asked < Duration::from_millis(900));
        }
    }
    // In a second there is time for five of them.
    assert!((3..=15).contains(&answered) && at_once >= 10, "{answered} {at_once}");
}

#[tokio::test]
async fn a_key_can_be_held_to_a_number_of_jobs_at_the_same_time() {
    let keys = format!("hog:{FIRST};concurrency=1,other:{SECOND}");
    let variables = [("EXECUTOR_API_KEYS", keys.as_str()), ("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")];
    let server = Arc::new(Server::with(&variables));
    let jobs: JoinSet<Reply> = (0..4).map(|_| slow(Arc::clone(&server))).collect();
    let scrape = async || Scrape::with_key(&server, "second key").await;
    let mut waits = false;
    let start = Instant::now();
    while !waits && start.elapsed() < Duration::from_secs(10) {
        let now = scrape().await;
        assert!(now.value("executor_jobs_running") <= 1, "{now}");
        waits = now.value("executor_jobs_waiting") > 0;
    }
    assert!(waits, "nothing waits though there is a place");
    ask(&server, "second key", FAST).await.succeeds("5", "");
    for reply in jobs.join_all().await {
        reply.succeeds("5", "");
    }
}

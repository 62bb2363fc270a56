//! SIGTERM, and ends that nobody asked for.

use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::Signal;

use crate::support::process::{Watched, named};
use crate::support::{Reply, Server, announcing, json_text, unique, until};

const FAST: [(&str, &str); 1] = [("EXECUTOR_PRELOAD", "")];

/// Starts a script that sleeps this long, and waits until it runs.
async fn running(server: &Server, seconds: u32) -> tokio::task::JoinHandle<reqwest::Result<Reply>> {
    let name = unique();
    let script = format!(
        "import time\ndef main():\n    print('before')\n    {}\n    time.sleep({seconds})\n    return 5",
        announcing(&name)
    );
    let body = format!(r#"{{"script":{}}}"#, json_text(&script));
    let request = server.request(Method::POST, "/execute").body(body);
    let job = tokio::spawn(async move {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply::new(status, headers, response.bytes().await?.to_vec()))
    });
    until("the script runs", || (!named(&name).is_empty()).then_some(())).await;
    job
}

/// Waits until new jobs are refused: by a closed port or by 503.
async fn new_jobs_are_refused(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let request = server.request(Method::POST, "/execute").body(r#"{"script":"def main(): return 1"}"#);
        match server.try_send(request).await {
            Err(_) => return,
            Ok(reply) if reply.status == 503 => {
                let seconds: u32 = reply.header("retry-after").parse().expect("seconds");
                assert!(seconds > 0, "{reply}");
                assert_eq!(reply.failure_with(503).stdout, "", "{reply}");
                return;
            }
            Ok(reply) => reply.succeeds("1", ""),
        }
        assert!(Instant::now() < deadline, "new jobs are still accepted\n{}", server.log());
    }
}

#[tokio::test]
async fn a_running_job_is_answered_and_new_ones_are_refused() {
    let mut server = Server::with(&FAST);
    let job = running(&server, 3).await;
    server.process().signal(Signal::TERM);
    new_jobs_are_refused(&server).await;
    assert!(!job.is_finished(), "the job was not waited for");
    let reply = job.await.expect("the request does not panic").expect("an answer");
    reply.succeeds("5", "before\n");
    let status = server.process_mut().wait(Duration::from_secs(5));
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::with(&FAST);
        server.is_well().await;
        server.process().signal(signal);
        let status = server.process_mut().wait(Duration::from_secs(3));
        assert_eq!(status.code(), Some(0), "{}", server.log());
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_server() {
    let mut server = Server::with(&FAST);
    let client = crate::support::server::client(reqwest::Client::builder().http1_only());
    let response = client.get(server.url("/health")).send().await.expect("an answer");
    response.bytes().await.expect("a body");
    let _silent = tokio::net::TcpStream::connect(server.address()).await.expect("a connection");
    server.process().signal(Signal::TERM);
    let status = server.process_mut().wait(Duration::from_secs(5));
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn a_job_that_takes_too_long_does_not_hold_the_server() {
    let mut server = Server::with(&FAST);
    let job = running(&server, 29).await;
    let start = Instant::now();
    server.process().signal(Signal::TERM);
    let status = server.process_mut().wait(Duration::from_secs(12));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(status.code(), Some(0), "{}", server.log());
    if let Ok(reply) = job.await.expect("the request does not panic") {
        reply.failure_with(503);
    }
}

#[tokio::test]
async fn nothing_is_left_after_a_drain() {
    let mut server = Server::start();
    server.is_well().await;
    let below: Vec<Watched> = watched(&server);
    assert!(!below.is_empty());
    server.process().signal(Signal::TERM);
    server.process_mut().wait(Duration::from_secs(5));
    for process in below {
        assert!(process.ends_within(Duration::from_secs(5)), "{}", server.log());
    }
}

#[tokio::test]
async fn nothing_is_left_after_the_server_was_killed() {
    let mut server = Server::with(&[("EXECUTOR_CONCURRENCY", "3")]);
    let job = running(&server, 25).await;
    let below: Vec<Watched> = watched(&server);
    assert!(below.len() >= 2, "a zygote and a worker at least");
    server.process().signal(Signal::KILL);
    server.process_mut().wait(Duration::from_secs(5));
    for process in below {
        assert!(process.ends_within(Duration::from_secs(5)), "{}", server.log());
    }
    assert!(job.await.expect("the request does not panic").is_err());
}

fn watched(server: &Server) -> Vec<Watched> {
    server.process().watch_descendants()
}

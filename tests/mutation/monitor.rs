//! A monitor is killed, or stopped, from outside while its job runs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use py_executor::sandbox::Mechanism;
use rustix::process::Signal;
use serde_json::json;

use crate::service::service;
use crate::support::process::{Entry, Watched, list, named};
use crate::support::{PATIENCE, Server, announcing, unique, until};

/// The status of a service that could not make sure that nothing was left of a script.
const COMPROMISED: i32 = 70;

/// A script that can be found, with a child in its process group that can be found too, and that answers when so much
/// time has passed from now on, however often it is begun.
fn script(name: &str, wait: Duration) -> String {
    let announce = announcing(name);
    let end = (SystemTime::now() + wait).duration_since(UNIX_EPOCH).expect("it is later").as_secs_f64();
    format!(
        "import os, time\n\ndef main():\n    child = os.fork()\n    {announce}\n    time.sleep(max({end} - time.time(), 0))\n    \
         if child == 0:\n        os._exit(0)\n    return 2 + 3\n"
    )
}

/// Both processes of the script, and its monitor: the parent of the one whose parent is not the other.
async fn running(name: &str) -> (Vec<Watched>, Watched) {
    let both = until("the script runs", || Some(named(name)).filter(|found| found.len() == 2)).await;
    let is_of_script = |pid: u32| both.iter().any(|entry| entry.pid == pid);
    let worker = both.iter().find(|entry| !is_of_script(entry.parent)).expect("one is the other's parent");
    let monitor = list().into_iter().find(|entry| entry.pid == worker.parent).expect("the worker has a monitor");
    (both.iter().filter_map(Entry::watch).collect(), monitor.watch().expect("it lives"))
}

#[tokio::test]
async fn without_namespaces_the_service_ends_itself_and_what_it_monitored() {
    let mut server = Server::launch(service("user", "strict", &[Mechanism::Namespaces]));
    let name = unique();
    let request = server.request(reqwest::Method::POST, "/execute").header("content-type", "application/json");
    let request = request.body(json!({ "script": script(&name, Duration::from_secs(25)) }).to_string());
    let job = tokio::spawn(request.send());

    let (processes, monitor) = running(&name).await;
    monitor.signal(Signal::KILL);
    let status = server.process_mut().wait(PATIENCE);
    assert_eq!(status.code(), Some(COMPROMISED), "{}", server.log());
    assert!(server.log().text().contains("so the service ends"), "{}", server.log());
    let all_ended = processes.iter().all(|process| process.ends_within(Duration::from_secs(10)));
    assert!(all_ended, "something of the job outlives its monitor\n{}", server.log());
    assert!(job.await.expect("it does not panic").is_err(), "a job is answered whose monitor is gone");
}

#[tokio::test]
async fn with_namespaces_all_of_the_job_ends_and_it_is_begun_again() {
    let server = Server::launch(service("user", "strict", &[]));
    let name = unique();
    let source = script(&name, Duration::from_secs(10));
    let job = server.execute(&source);
    let attack = async {
        let (processes, monitor) = running(&name).await;
        monitor.signal(Signal::KILL);
        let all_ended = processes.iter().all(|process| process.ends_within(Duration::from_secs(10)));
        assert!(all_ended, "something of the job outlives its monitor");
    };
    let (reply, ()) = tokio::join!(job, attack);
    reply.succeeds("5", "");
    assert!(server.log().text().contains("a worker was lost"), "{}", server.log());
    server.is_well().await;
}

/// A monitor that does not end by itself is ended by its zygote, with all that came of its worker: only then is its place free.
#[tokio::test]
async fn with_namespaces_a_monitor_that_stands_still_is_ended_before_its_place_is_given_back() {
    let server = Server::launch(service("user", "strict", &[]));
    let name = unique();
    let fields = json!({ "timeout": 2 });
    let source = script(&name, Duration::from_secs(25));
    let job = server.execute_with(&source, fields);
    let attack = async {
        let (processes, monitor) = running(&name).await;
        monitor.signal(Signal::STOP);
        (processes, monitor)
    };
    let (reply, (processes, monitor)) = tokio::join!(job, attack);
    reply.fails_with("TimeoutError: script exceeded its time limit of 2 s");
    let running = async || {
        let metrics = server.get("/metrics").await.body;
        let line = metrics.lines().find(|line| line.starts_with("executor_jobs_running ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no such figure: {metrics}"))
    };
    assert!(processes.iter().all(|process| !process.ends_within(Duration::ZERO)), "they were ended, but by whom?");
    while running().await != "executor_jobs_running 0" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        processes.iter().all(|process| process.ends_within(Duration::ZERO)),
        "a place is free while its script lives"
    );
    assert!(monitor.ends_within(PATIENCE));
    assert!(server.log().text().contains("a monitor has not finished, so it is ended"), "{}", server.log());
    server.is_well().await;
}

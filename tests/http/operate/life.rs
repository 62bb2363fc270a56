//! A long life: zygotes that hang or have done enough, and the end.

use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;

use super::metrics::{Scrape, until};
use crate::support::jail::wrapped;
use crate::support::process::{Entry, Watched, named};
use crate::support::{Server, announcing, unique};

const PRELOADED: &str = "import pandas as pd\ndef main():\n    return int(pd.Series([1, 2]).sum())";

async fn serves_both_kinds(server: &Server) {
    server.is_well().await;
    server.execute(PRELOADED).await.succeeds("3", "");
}

fn ends(zygote: &str, reason: &str) -> String {
    format!(r#"executor_zygote_ends_total{{zygote="{zygote}",reason="{reason}"}}"#)
}

#[tokio::test]
async fn a_second_signal_ends_the_service_at_once() {
    let mut server = Server::with(&[("EXECUTOR_PRELOAD", ""), ("EXECUTOR_SHUTDOWN_GRACE_SECONDS", "60")]);
    let name = unique();
    let script = format!("import time\ndef main():\n    {}\n    time.sleep(25)", announcing(&name));
    let request = server.request(Method::POST, "/execute").body(json!({ "script": script }).to_string());
    let job = tokio::spawn(request.send());
    crate::support::until("the script runs", || (!named(&name).is_empty()).then_some(())).await;
    let below: Vec<Watched> = server.process().watch_descendants();
    server.process().signal(Signal::TERM);
    crate::support::until("it stops", || server.log().text().contains("shutting down").then_some(())).await;
    let start = Instant::now();
    server.process().signal(Signal::TERM);
    let status = server.process_mut().wait(Duration::from_secs(5));
    assert_eq!(status.code(), Some(130), "{}", server.log());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    for process in below {
        assert!(process.ends_within(Duration::from_secs(5)), "{}", server.log());
    }
    assert!(job.await.expect("the request does not panic").is_err());
}

/// Nobody asks a stopped zygote for anything while its monitors go on, but for the service itself.
#[tokio::test]
async fn a_zygote_that_hangs_is_noticed_and_replaced() {
    let server = Server::start();
    serves_both_kinds(&server).await;
    for zygote in zygotes_below_launchers(&server) {
        zygote.watch().expect("it is there").signal(Signal::STOP);
    }
    let hung = ends("base", "hung");
    let patience = async {
        // Scripts go on all the while: right answers, and no others.
        loop {
            server.is_well().await;
            if Scrape::of(&server).await.value(&hung) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience).await.expect("it is noticed");
    serves_both_kinds(&server).await;
}

/// A zygote is a child of its launcher, which is a child of the service.
fn zygotes_below_launchers(server: &Server) -> Vec<Entry> {
    server.zygotes().iter().flat_map(|launcher| children(server, launcher.pid)).collect()
}

#[tokio::test]
async fn zygotes_that_have_done_enough_are_replaced_without_a_pause() {
    let server = Server::with(&[("EXECUTOR_ZYGOTE_MAX_JOBS", "40"), ("EXECUTOR_CONCURRENCY", "2")]);
    serves_both_kinds(&server).await;
    let before: Vec<u32> = server.zygotes().iter().map(|zygote| zygote.pid).collect();
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    let renewed = ends("base", "renewed");
    while Scrape::of(&server).await.value(&renewed) < 2 {
        for script in ["def main(): return 3", PRELOADED] {
            let asked = Instant::now();
            server.execute(script).await.succeeds("3", "");
            slowest = slowest.max(asked.elapsed());
        }
        assert!(start.elapsed() < Duration::from_mins(2), "they are not replaced");
    }
    println!("the slowest answer took {slowest:?}");
    let scrape = until(&server, "the old ones are gone", |_| server.zygotes().len() == 1).await;
    assert!(server.zygotes().iter().all(|zygote| !before.contains(&zygote.pid)));
    assert_eq!(scrape.value(&ends("base", "died")) + scrape.value(&ends("base", "hung")), 0, "{scrape}");
    assert_eq!(scrape.value("executor_workers_lost_total"), 0, "{scrape}");
    serves_both_kinds(&server).await;
}

/// Workers that wait for a script are not what wears a zygote out.
#[tokio::test]
async fn zygotes_that_have_done_nothing_are_not_replaced() {
    let server =
        Server::with(&[("EXECUTOR_ZYGOTE_MAX_JOBS", "8"), ("EXECUTOR_CONCURRENCY", "4"), ("EXECUTOR_PRELOAD", "")]);
    until(&server, "all workers wait", |scrape| scrape.value(r#"executor_workers_parked{zygote="base"}"#) == 8).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(Scrape::of(&server).await.value(r#"executor_zygote_starts_total{zygote="base"}"#), 1);
}

/// A job that has begun in a zygote that is replaced meanwhile comes to its end.
#[tokio::test]
async fn a_job_outlives_the_renewal_of_its_zygote() {
    let server =
        Server::with(&[("EXECUTOR_ZYGOTE_MAX_JOBS", "30"), ("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")]);
    let script = "import time\ndef main():\n    time.sleep(6)\n    return 'done'";
    let body = json!({ "script": script }).to_string();
    let long = tokio::spawn(server.request(Method::POST, "/execute").body(body).send());
    let renewed = ends("base", "renewed");
    while Scrape::of(&server).await.value(&renewed) == 0 {
        server.is_well().await;
    }
    assert!(!long.is_finished(), "it was renewed too late for this test");
    let answer = long.await.expect("it does not panic").expect("an answer").text().await.expect("a body");
    assert_eq!(answer, r#"{"result":"done","stdout":""}"#, "{}", server.log());
    until(&server, "the old zygote is gone", |_| server.zygotes().len() == 1).await;
}

/// In a container the service is the first process, whose children all orphans become: monitors, when their zygote has died.
#[tokio::test]
async fn as_the_first_process_it_buries_orphans() {
    let unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"].map(Into::into);
    let variables =
        [("EXECUTOR_DISABLED_MECHANISMS", "namespaces"), ("EXECUTOR_POLICY", "relaxed"), ("EXECUTOR_PRELOAD", "")];
    let server = Server::launch(wrapped(&unshare, &crate::support::server::command(&variables)));
    server.is_well().await;
    let first = children(&server, server.process().id()).first().expect("the service").pid;
    for round in 1..=3 {
        // Nothing else: neither monitors of the last one, nor what is left of them.
        let is_alone = || <[Entry; 1]>::try_from(children(&server, first)).ok().filter(|[zygote]| zygote.is_alive());
        let alone = crate::support::until("a zygote is all that it has", is_alone);
        let Ok([zygote]) = tokio::time::timeout(Duration::from_secs(30), alone).await else {
            panic!("{:#?}\n{}", server.process().descendants(), server.log());
        };
        zygote.watch().expect("it is there").signal(Signal::KILL);
        until(&server, "another one is up", |scrape| {
            scrape.value(r#"executor_zygote_starts_total{zygote="base"}"#) == round + 1
        })
        .await;
        server.is_well().await;
    }
}

fn children(server: &Server, parent: u32) -> Vec<Entry> {
    server.process().descendants().into_iter().filter(|entry| entry.parent == parent).collect()
}

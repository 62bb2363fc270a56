//! Many scripts at once, and processes of the service that die under them.

use std::sync::Arc;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::process::{Entry, Watched, named};
use crate::support::{Reply, Server, announcing, json_text, unique, until};

/// Sends all the scripts at the same time.
async fn together(server: &Server, scripts: Vec<String>) -> Vec<(usize, Reply)> {
    let barrier = Arc::new(Barrier::new(scripts.len()));
    let mut requests = JoinSet::new();
    for (index, script) in scripts.into_iter().enumerate() {
        let body = format!(r#"{{"script":{}}}"#, json_text(&script));
        let request = server.request(Method::POST, "/execute").body(body);
        let (barrier, log) = (Arc::clone(&barrier), server.log().clone());
        requests.spawn(async move {
            barrier.wait().await;
            let response = request.send().await.expect("an answer");
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = response.bytes().await.expect("a body").to_vec();
            (index, Reply::new(status, headers, body).with_log(&log))
        });
    }
    requests.join_all().await
}

/// A script that could be confused with no other.
fn numbered(index: usize, seconds: f32) -> String {
    format!(
        "import time\ndef main():\n    print('start', {index})\n    time.sleep({seconds})\n    print('end', {index})\n    return {index}"
    )
}

#[track_caller]
fn is_the_answer_of(index: usize, reply: &Reply) {
    reply.succeeds(&index.to_string(), &format!("start {index}\nend {index}\n"));
}

/// The right answer, or an honest refusal.
#[track_caller]
fn is_right_or_refused(index: usize, reply: &Reply) -> bool {
    if reply.status == 503 {
        assert_eq!(reply.failure_with(503).stdout, "", "{reply}");
        let seconds: u32 = reply.header("retry-after").parse().expect("seconds");
        assert!(seconds > 0, "{reply}");
        return false;
    }
    is_the_answer_of(index, reply);
    true
}

#[tokio::test]
async fn three_hundred_scripts_at_once_get_their_own_answers() {
    // Patience for a machine that is busy with other tests; the length of the queue is the default.
    let server = Server::with(&[("EXECUTOR_QUEUE_SECONDS", "60")]);
    let scripts = (0..300).map(|index| numbered(index, 0.0)).collect();
    let replies = together(&server, scripts).await;
    assert_eq!(replies.len(), 300);
    for (index, reply) in replies {
        is_the_answer_of(index, &reply);
    }
}

#[tokio::test]
async fn failures_among_many_scripts_stay_with_their_own() {
    let server = Server::with(&[("EXECUTOR_QUEUE_SECONDS", "60")]);
    let endings = [
        ("return 1", "200"),
        ("raise ValueError('mine')", "ValueError: mine"),
        ("os._exit(7)", "script exited with status 7 before main() returned"),
        ("os.kill(os.getpid(), 11)", "script was killed by signal 11 (SIGSEGV)"),
    ];
    let script = |index: usize| format!("import os\ndef main():\n    print({index})\n    {}", endings[index % 4].0);
    for (index, reply) in together(&server, (0..80).map(script).collect()).await {
        let stdout = format!("{index}\n");
        match endings[index % 4].1 {
            "200" => reply.succeeds("1", &stdout),
            error => reply.fails(error, &stdout),
        }
    }
}

/// Kills every zygote and waits until it is gone.
fn kill_zygotes(server: &Server) {
    let zygotes = server.zygotes();
    assert!(!zygotes.is_empty(), "the server has a zygote\n{}", server.log());
    let watched: Vec<Watched> = zygotes.iter().filter_map(Entry::watch).collect();
    for zygote in &watched {
        zygote.signal(Signal::KILL);
    }
    for zygote in &watched {
        assert!(zygote.ends_within(crate::support::PATIENCE));
    }
}

#[tokio::test]
async fn zygotes_killed_while_nothing_runs_are_replaced() {
    let server = Server::start();
    server.is_well().await;
    for _ in 0..3 {
        kill_zygotes(&server);
        let (_, reply) = together(&server, vec![numbered(1, 0.0)]).await.remove(0);
        is_right_or_refused(1, &reply);
        recovers(&server).await;
    }
}

#[tokio::test]
async fn zygotes_killed_in_the_middle_cost_no_wrong_answer() {
    let server = Server::start();
    let name = unique();
    let script =
        |index: usize| numbered(index, 0.02).replacen("    time", &format!("    {}\n    time", announcing(&name)), 1);
    let all = together(&server, (0..60).map(script).collect());
    let kill = async {
        for _ in 0..2 {
            until("a script runs", || (!named(&name).is_empty()).then_some(())).await;
            kill_zygotes(&server);
            until("there is a new zygote", || (!server.zygotes().is_empty()).then_some(())).await;
        }
    };
    let (replies, ()) = tokio::join!(all, kill);
    let answered = replies.iter().filter(|(index, reply)| is_right_or_refused(*index, reply)).count();
    assert!(answered > 0, "{replies:?}");
    recovers(&server).await;
}

#[tokio::test]
async fn killed_workers_that_wait_for_a_job_are_replaced() {
    let server = Server::start();
    server.is_well().await;
    for _ in 0..3 {
        let workers = until("workers wait for jobs", || {
            let workers = server.workers();
            (!workers.is_empty()).then_some(workers)
        })
        .await;
        for worker in workers {
            if let Some(worker) = worker.watch() {
                worker.signal(Signal::KILL);
            }
        }
        let scripts = (0..8).map(|index| numbered(index, 0.0)).collect();
        for (index, reply) in together(&server, scripts).await {
            is_right_or_refused(index, &reply);
        }
        recovers(&server).await;
    }
}

#[tokio::test]
async fn stopped_zygotes_cost_no_wrong_answer() {
    let server = Server::with(&[("EXECUTOR_QUEUE_SECONDS", "2"), ("EXECUTOR_PRELOAD", "")]);
    server.is_well().await;
    let zygotes: Vec<Watched> = server.zygotes().iter().filter_map(Entry::watch).collect();
    assert!(!zygotes.is_empty(), "{}", server.log());
    for zygote in &zygotes {
        zygote.signal(Signal::STOP);
    }
    let scripts = (0..12).map(|index| numbered(index, 0.0)).collect();
    let replies = together(&server, scripts).await;
    for zygote in &zygotes {
        zygote.signal(Signal::CONT);
    }
    for (index, reply) in replies {
        is_right_or_refused(index, &reply);
    }
    recovers(&server).await;
}

/// After a while of honest refusals at most, everything is as before.
async fn recovers(server: &Server) {
    let start = std::time::Instant::now();
    loop {
        let (_, reply) = together(server, vec![numbered(5, 0.0)]).await.remove(0);
        let health = server.get("/health").await;
        assert!(matches!(health.status, 200 | 503), "{health}");
        if is_right_or_refused(5, &reply) && health.status == 200 {
            break;
        }
        assert!(start.elapsed() < crate::support::PATIENCE, "{reply}\n{health}");
    }
    server.is_well().await;
}

#[tokio::test]
async fn a_job_that_runs_for_long_does_not_hold_the_others() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")]);
    let long = server.execute_with("while True: pass", json!({ "timeout": 2 }));
    let short = async {
        let start = std::time::Instant::now();
        for _ in 0..10 {
            server.is_well().await;
        }
        start.elapsed()
    };
    let (long, took) = tokio::join!(long, short);
    long.fails("TimeoutError: script exceeded its time limit of 2 s", "");
    assert!(took.as_secs_f32() < 2.0, "{took:?}");
}

#[tokio::test]
async fn no_process_and_no_zombie_stays_behind_after_many_jobs() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    server.is_well().await;
    let scripts = (0..40).map(|index| numbered(index, 0.0)).collect();
    together(&server, scripts).await;
    until("only zygotes and waiting workers are left", || {
        let all = server.process().descendants();
        let zombies = all.iter().filter(|entry| !entry.is_alive()).count();
        // A launcher, a zygote, and for each processor and four more a worker that waits, with its monitor; monitors of those that ran.
        let parked = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) + 4;
        (zombies == 0 && all.len() <= 2 + 2 * parked + parked).then_some(())
    })
    .await;
}

#[tokio::test]
async fn descriptors_of_the_service_do_not_grow() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let count = |pid: u32| {
        let directory = std::fs::read_dir(format!("/proc/{pid}/fd"));
        directory.expect("the test may look at its own server").count()
    };
    let pid = server.process().id();
    let scripts = (0..40).map(|index| numbered(index, 0.0)).collect();
    together(&server, scripts).await;
    let before = count(pid);
    for _ in 0..5 {
        let scripts = (0..40).map(|index| numbered(index, 0.0)).collect();
        together(&server, scripts).await;
    }
    until("descriptors are closed again", || (count(pid) <= before + 8).then_some(())).await;
}

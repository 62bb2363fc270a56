//! Every status but 200 and 400, and the other endpoints.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Reply, Server, json_text};

const PLAIN: &str = "def main(): return 5";

#[tokio::test]
async fn an_unknown_path_is_404() {
    let server = Server::shared();
    for path in ["/nothing", "/execute/", "/execute/x", "//execute", "/healthz", "/Execute", "/..%2fexecute"] {
        let reply = server.get(path).await;
        assert_eq!(reply.failure_with(404).stdout, "", "{path}\n{reply}");
    }
    let reply = server.send(server.request(Method::POST, "/nothing").body("{}")).await;
    assert_eq!(reply.failure_with(404).stdout, "", "{reply}");
}

#[tokio::test]
async fn a_wrong_method_is_405_and_says_which_are_right() {
    let server = Server::shared();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "EXECUTE"] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let reply = server.send(server.request(method.clone(), "/execute").body("{}")).await;
        assert_eq!(reply.failure_with(405).stdout, "", "{method}\n{reply}");
        assert_eq!(reply.header("allow"), "POST", "{method}\n{reply}");
    }
    for path in ["/health", "/"] {
        let reply = server.send(server.request(Method::POST, path).body("{}")).await;
        assert_eq!(reply.failure_with(405).stdout, "", "{path}\n{reply}");
        let allowed: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
        assert!(allowed.contains(&"GET") && !allowed.contains(&"POST"), "{path}\n{reply}");
    }
}

#[tokio::test]
async fn a_wrong_method_without_room_for_a_body_is_405_too() {
    let server = Server::shared();
    let reply = server.send(server.request(Method::HEAD, "/execute")).await;
    assert_eq!((reply.status, reply.body.as_str()), (405, ""), "{reply}");
    assert_eq!(reply.header("allow"), "POST", "{reply}");
}

/// A request of exactly this many bytes.
fn sized(bytes: usize) -> String {
    let (start, end) = (r#"{"script":"def main(): return 5 #"#, r#""}"#);
    let filling = "x".repeat(bytes - start.len() - end.len());
    format!("{start}{filling}{end}")
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_accepted() {
    Server::shared().post(sized(6 << 20)).await.succeeds("5", "");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let server = Server::shared();
    for bytes in [(6 << 20) + 1, 10 << 20, 40 << 20] {
        let reply = server.post(sized(bytes)).await;
        assert_eq!(reply.failure_with(413).stdout, "", "{bytes}\n{reply}");
        server.is_well().await;
    }
}

#[tokio::test]
async fn the_limit_of_the_body_is_the_operators() {
    let server = Server::with(&[("EXECUTOR_MAX_REQUEST_BYTES", "2000"), ("EXECUTOR_PRELOAD", "")]);
    server.post(sized(2000)).await.succeeds("5", "");
    server.post(sized(2001)).await.failure_with(413);
}

/// Sends this many scripts at the same time that take this long each.
async fn crowd(server: &Server, size: usize, seconds: f32) -> Vec<Reply> {
    let script = format!("import time\ndef main():\n    time.sleep({seconds})\n    return 5");
    let mut requests = JoinSet::new();
    for _ in 0..size {
        let body = format!(r#"{{"script":{}}}"#, json_text(&script));
        let request = server.request(Method::POST, "/execute").body(body);
        let log = server.log().clone();
        requests.spawn(async move {
            let response = request.send().await.expect("an answer");
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = response.bytes().await.expect("a body").to_vec();
            Reply::new(status, headers, body).with_log(&log)
        });
    }
    requests.join_all().await
}

/// The reply says that there is no room and when to come back.
#[track_caller]
fn says_there_is_no_room(reply: &Reply) {
    assert_eq!(reply.failure_with(503).stdout, "", "{reply}");
    let seconds: u32 = reply.header("retry-after").parse().expect("a number of seconds");
    assert!(seconds > 0, "{reply}");
}

#[tokio::test]
async fn jobs_beyond_the_queue_are_503() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_QUEUE", "1"), ("EXECUTOR_PRELOAD", "")]);
    let replies = crowd(&server, 8, 1.5).await;
    let (answered, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(answered.len(), 2, "{replies:?}");
    for reply in answered {
        reply.succeeds("5", "");
    }
    for reply in refused {
        says_there_is_no_room(reply);
    }
    server.is_well().await;
}

#[tokio::test]
async fn without_a_queue_only_the_running_jobs_have_room() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_QUEUE", "0"), ("EXECUTOR_PRELOAD", "")]);
    let replies = crowd(&server, 4, 1.5).await;
    let (answered, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(answered.len(), 1, "{replies:?}");
    for reply in refused {
        says_there_is_no_room(reply);
    }
    server.is_well().await;
}

#[tokio::test]
async fn a_job_that_waits_too_long_is_503() {
    let server =
        Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_QUEUE_SECONDS", "0.5"), ("EXECUTOR_PRELOAD", "")]);
    let start = std::time::Instant::now();
    let replies = crowd(&server, 3, 2.0).await;
    let (answered, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(answered.len(), 1, "{replies:?}");
    for reply in refused {
        says_there_is_no_room(reply);
    }
    assert!(start.elapsed().as_secs_f32() >= 2.0, "the running job was not disturbed");
    server.is_well().await;
}

#[tokio::test]
async fn jobs_in_the_queue_get_their_turn() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    for reply in crowd(&server, 20, 0.01).await {
        reply.succeeds("5", "");
    }
}

#[tokio::test]
async fn as_many_jobs_run_at_once_as_the_operator_allows() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "4"), ("EXECUTOR_PRELOAD", "")]);
    let start = std::time::Instant::now();
    for reply in crowd(&server, 4, 2.0).await {
        reply.succeeds("5", "");
    }
    let took = start.elapsed().as_secs_f32();
    assert!((2.0..4.0).contains(&took), "four jobs of 2 s took {took} s");
}

#[tokio::test]
async fn health_says_what_is_enforced() {
    let server = Server::shared();
    let reply = server.get("/health").await;
    assert_eq!(reply.status, 200, "{reply}");
    assert_eq!(reply.header("content-type"), "application/json", "{reply}");
    let health: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert!(health.as_object().is_some_and(|object| !object.is_empty()), "{reply}");
    for mechanism in ["namespace", "seccomp", "landlock"] {
        assert!(reply.body.to_lowercase().contains(mechanism), "{mechanism}\n{reply}");
    }
}

#[tokio::test]
async fn health_answers_while_every_worker_is_busy() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_QUEUE", "0"), ("EXECUTOR_PRELOAD", "")]);
    let script = "while True: pass\ndef main(): pass";
    let job = server.execute_with(script, json!({ "timeout": 1 }));
    let health = async {
        let start = std::time::Instant::now();
        for _ in 0..5 {
            let reply = server.get("/health").await;
            assert_eq!(reply.status, 200, "{reply}");
        }
        start.elapsed()
    };
    let (job, took) = tokio::join!(job, health);
    job.fails_with("TimeoutError");
    assert!(took.as_secs_f32() < 1.0, "{took:?}");
}

#[tokio::test]
async fn the_root_names_the_endpoints() {
    let reply = Server::shared().get("/").await;
    assert_eq!(reply.status, 200, "{reply}");
    assert!(reply.body.contains("/execute") && reply.body.contains("/health"), "{reply}");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = Server::shared();
    for path in ["/health", "/"] {
        let reply = server.send(server.request(Method::HEAD, path)).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{path}\n{reply}");
    }
}

#[tokio::test]
async fn a_query_changes_nothing() {
    let server = Server::shared();
    let body = format!(r#"{{"script":{}}}"#, json_text(PLAIN));
    let request = server.request(Method::POST, "/execute?timeout=0&script=x").body(body);
    server.send(request).await.succeeds("5", "");
}

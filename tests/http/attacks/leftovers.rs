//! Nothing is left behind.

use std::time::Instant;

use serde_json::{Value, json};

use super::{program, run};
use crate::support::process::named;
use crate::support::server::AT_ONCE;
use crate::support::{Server, unique, until};

const ENDS: [(&str, Option<&str>); 4] = [
    ("pass", None),
    ("raise ValueError('x')", Some("ValueError: x")),
    ("import os; os._exit(3)", Some("script exited with status 3 before main() returned")),
    ("import os; os.kill(os.getpid(), 9)", Some("script was killed by signal 9 (SIGKILL)")),
];

#[tokio::test]
async fn processes_do_not_outlive_their_script() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    for way in ["child", "daemon", "holder", "breeder", "program"] {
        for (end, error) in ENDS {
            let (name, start) = (unique(), Instant::now());
            let inputs = json!({ "way": way, "announce": name, "end": end });
            let reply = run(&server, program!("left_process"), inputs).await;
            assert!(start.elapsed() < AT_ONCE, "{way}, {end}: {:?}", start.elapsed());
            match error {
                None => assert_eq!(reply.success().value, r#""done""#, "{way}\n{reply}"),
                Some(error) => assert_eq!(reply.failure().value, error, "{way}\n{reply}"),
            }
            let gone = until("the process is gone", || named(&name).is_empty().then_some(()));
            tokio::time::timeout(AT_ONCE, gone).await.unwrap_or_else(|_| panic!("{way}, {end}: {:?}", named(&name)));
        }
    }
    server.is_well().await;
}

#[tokio::test]
async fn processes_do_not_outlive_a_timeout() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    for way in ["daemon", "holder", "breeder"] {
        let name = unique();
        let inputs = json!({ "way": way, "announce": name, "end": "while True: pass" });
        let fields = json!({ "inputs": inputs, "timeout": 1 });
        let reply = server.execute_with(program!("left_process"), fields).await;
        reply.fails_with("TimeoutError: script exceeded its time limit of 1 s");
        until("the process is gone", || named(&name).is_empty().then_some(())).await;
    }
    server.is_well().await;
}

#[tokio::test]
async fn memory_and_queues_between_processes_are_gone_with_their_script() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let name = unique();
    for _ in 0..3 {
        let leave = json!({ "way": "leave", "name": name });
        let left: Vec<String> = run(&server, program!("left_ipc"), leave).await.returned();
        assert!(left.contains(&"posix shared memory".to_owned()), "{left:?}");
        let look = json!({ "way": "look", "name": name });
        let found: Vec<String> = run(&server, program!("left_ipc"), look).await.returned();
        assert!(found.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn memory_and_queues_between_processes_are_not_shared_with_a_neighbour() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")]);
    let name = unique();
    let leave = json!({ "way": "leave", "name": name, "announce": name, "seconds": 1 });
    let look = async {
        until("the neighbour has made them", || (!named(&name).is_empty()).then_some(())).await;
        run(&server, program!("left_ipc"), json!({ "way": "look", "name": name })).await
    };
    let (left, found) = tokio::join!(run(&server, program!("left_ipc"), leave), look);
    assert!(!left.returned::<Vec<String>>().is_empty(), "{left}");
    assert_eq!(found.returned::<Value>(), json!([]), "{found}");
}

#[tokio::test]
async fn input_of_one_script_is_not_the_input_of_the_next() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let script = "import sys\ndef main(): return sys.stdin.read()";
    for _ in 0..4 {
        let fields = json!({ "stdin": "mine" });
        server.execute_with(script, fields).await.succeeds(r#""mine""#, "");
        server.execute(script).await.succeeds(r#""""#, "");
    }
}

#[tokio::test]
async fn changes_to_the_interpreter_are_gone_with_their_script() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1")]);
    for _ in 0..4 {
        let change = run(&server, program!("left_state"), json!({ "way": "change" })).await;
        change.succeeds(r#""changed""#, "");
        let look = run(&server, program!("left_state"), json!({ "way": "look" })).await;
        assert_eq!(look.returned::<Value>(), json!([]), "{look}");
    }
}

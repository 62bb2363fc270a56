//! No sight of other processes, and no signal to them.

use serde_json::{Value, json};

use super::{achieves_nothing, processes_of, program, run};
use crate::support::process::named;
use crate::support::{Server, unique, until};

#[tokio::test]
async fn other_processes_cannot_be_seen() {
    let foreign = json!({ "foreign": ["cargo", "deps/http-", "EXECUTOR_", env!("CARGO_BIN_EXE_py-executor-server")] });
    achieves_nothing(Server::shared(), program!("proc_list"), foreign).await;
}

#[tokio::test]
async fn other_processes_cannot_be_signalled() {
    let server = Server::shared();
    let foreign = json!({ "foreign": processes_of(server) });
    achieves_nothing(server, program!("proc_signal_probe"), foreign).await;
}

#[tokio::test]
async fn a_script_that_kills_all_it_can_hits_no_other() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")]);
    for way in ["parent", "group", "all", "foreign"] {
        let name = unique();
        let attack = async {
            until("the victim runs", || (!named(&name).is_empty()).then_some(())).await;
            let inputs = json!({ "way": way, "foreign": processes_of(&server) });
            server.execute_with(program!("proc_kill"), json!({ "inputs": inputs, "timeout": 1 })).await
        };
        let victim = run(&server, program!("proc_victim"), json!({ "announce": name }));
        let (victim, attack) = tokio::join!(victim, attack);
        victim.succeeds(r#""survived""#, "survived\n");
        if attack.status == 200 {
            attack.succeeds(r#""still here""#, "");
        } else {
            attack.failure();
        }
        server.is_well().await;
    }
}

#[tokio::test]
async fn other_processes_cannot_be_traced() {
    let server = Server::shared();
    let foreign = json!({ "foreign": processes_of(server) });
    achieves_nothing(server, program!("proc_ptrace"), foreign).await;
}

#[tokio::test]
async fn nothing_of_other_processes_can_be_opened() {
    let server = Server::shared();
    let foreign = json!({ "foreign": processes_of(server) });
    achieves_nothing(server, program!("proc_mem"), foreign).await;
}

#[tokio::test]
async fn scripts_at_the_same_time_do_not_see_each_other() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")]);
    let name = unique();
    let (first, second) = (format!("{name}a"), format!("{name}b"));
    let inputs = |announce: &str| json!({ "announce": announce, "prefix": name });
    let (a, b, ()) = tokio::join!(
        run(&server, program!("proc_sibling"), inputs(&first)),
        run(&server, program!("proc_sibling"), inputs(&second)),
        until("both run", || { (!named(&first).is_empty() && !named(&second).is_empty()).then_some(()) }),
    );
    // Not even its own name can a script read there.
    assert_eq!(a.returned::<Value>(), json!([]), "{a}");
    assert_eq!(b.returned::<Value>(), json!([]), "{b}");
    server.is_well().await;
}

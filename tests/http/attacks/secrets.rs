//! No secrets: environment, memory and descriptors of the service are out of reach.

use serde_json::json;

use super::{achieves_nothing, processes_of, program, run};
use crate::support::Server;

/// Matches the pattern that sec_memory.py searches for; kept in two parts so that no request and no
/// source of a script contains it by itself.
fn secret(number: u64) -> String {
    format!("{}-{number:012x}", "SECRET")
}

/// A server whose environment holds what the environments of services hold.
fn server_with_secrets() -> Server {
    Server::with(&[
        ("AWS_ACCESS_KEY_ID", &secret(1)),
        ("AWS_SECRET_ACCESS_KEY", &secret(2)),
        ("AWS_SESSION_TOKEN", &secret(3)),
        ("DATABASE_URL", &format!("postgres://user:{}@db/prod", secret(4))),
        ("PYTHONSTARTUP", &format!("/nowhere/{}", secret(5))),
        ("HOME", &format!("/home/{}", secret(6))),
    ])
}

#[tokio::test]
async fn the_environment_holds_nothing_of_the_services() {
    let server = server_with_secrets();
    // The words are taken apart, so that the program's own inputs are not what it finds.
    let words = json!({ "words": ["SECRET-", "AWS_", "DATABASE_URL", "EXECUTOR_", "PORT=", "postgres"] });
    achieves_nothing(&server, program!("sec_environ"), words).await;
}

#[tokio::test]
async fn the_memory_holds_nothing_of_the_services() {
    let server = server_with_secrets();
    achieves_nothing(&server, program!("sec_memory"), json!({})).await;
}

#[tokio::test]
async fn environments_of_other_processes_cannot_be_read() {
    let server = server_with_secrets();
    let foreign = json!({ "foreign": processes_of(&server) });
    achieves_nothing(&server, program!("sec_environ_of_others"), foreign).await;
}

#[tokio::test]
async fn descriptors_are_only_the_scripts_own() {
    achieves_nothing(Server::shared(), program!("sec_descriptors"), json!({})).await;
}

#[tokio::test]
async fn the_memory_holds_nothing_of_earlier_scripts() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1")]);
    for number in 10..20 {
        let inputs = json!({ "secret": secret(number) });
        let reply = run(&server, program!("sec_memory_leave"), inputs).await;
        reply.succeeds("1100", &format!("{}\n", secret(number)));
        achieves_nothing(&server, program!("sec_memory"), json!({})).await;
    }
}

#[tokio::test]
async fn the_search_for_secrets_can_find_one() {
    let planted = program!("sec_memory")
        .replace("def main():", "planted = b'-'.join([b'SECRET', b'0123456789ab'])\n\ndef main():");
    let reply = run(Server::shared(), &planted, json!({})).await;
    assert!(reply.success().value.contains("SECRET-0123456789ab"), "{reply}");
}

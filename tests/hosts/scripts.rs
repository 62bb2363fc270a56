//! Small scripts return the same on each kind of host: what the same Python returns outside of the service. gVisor is no kind of
//! its own here, because the runtime is the root there as on Linux.

use serde_json::Value;

use crate::host::Host;

/// The list, whose head says how it is written.
const SCRIPTS: &str = include_str!("scripts.txt");

/// Least number of scripts, so that a list that is cut off is noticed.
const LEAST: usize = 175;

/// Mark of a script that needs what a sealed host does not have.
const UNSEALED: &str = "@unsealed ";

struct Script {
    text: &'static str,
    result: Value,
    is_for_sealed: bool,
}

fn scripts() -> Vec<Script> {
    let parts = SCRIPTS.split("\n### ").skip(1).map(|part| part.split_once('\n').expect("a script follows"));
    let scripts = parts.map(|(head, text)| {
        let result = serde_json::from_str(head.trim_start_matches(UNSEALED)).expect("the result is JSON");
        Script { text, result, is_for_sealed: !head.starts_with(UNSEALED) }
    });
    scripts.collect()
}

async fn all_return_what_they_should(host: Host, is_sealed: bool) {
    let (service, scripts) = (host.start(), scripts());
    assert!(scripts.len() > LEAST, "{} scripts", scripts.len());
    let mut wrong = Vec::new();
    for Script { text, result, .. } in scripts.iter().filter(|script| !is_sealed || script.is_for_sealed) {
        let reply = service.execute(text).await;
        let body: Value = serde_json::from_str(&reply.body).expect("a reply is JSON");
        if body.get("result") != Some(result) {
            wrong.push(format!("{text}should return {result}, got {}", reply.body));
        }
    }
    assert!(wrong.is_empty(), "{host:?}: {} are wrong\n{}\n{}", wrong.len(), wrong.join("\n"), service.log());
}

#[tokio::test]
async fn small_scripts_work_for_an_ordinary_user() {
    all_return_what_they_should(Host::User, false).await;
}

#[tokio::test]
async fn small_scripts_work_in_a_container() {
    all_return_what_they_should(Host::Container, false).await;
}

#[tokio::test]
async fn small_scripts_work_where_they_are_sealed() {
    all_return_what_they_should(Host::Lambda, true).await;
}

//! Scripts that import or read something of the runtime only when they use it, which on a sealed host is after the last
//! moment at which the kernel opens a file. They return the same on each host.

use serde_json::Value;

use crate::host::Host;

/// Each script stands below a line with `###` and what it returns.
const SCRIPTS: &str = include_str!("late.txt");

fn scripts() -> Vec<(Value, &'static str)> {
    let parts = SCRIPTS.split("\n### ").skip(1).map(|part| part.split_once('\n').expect("a script follows"));
    parts.map(|(result, script)| (serde_json::from_str(result).expect("the result is JSON"), script)).collect()
}

async fn all_return_what_they_should(host: Host) {
    let (service, scripts) = (host.start(), scripts());
    assert!(scripts.len() > 40, "{} scripts", scripts.len());
    let mut wrong = Vec::new();
    for (result, script) in scripts {
        let reply = service.execute(script).await;
        let body: Value = serde_json::from_str(&reply.body).expect("a reply is JSON");
        if body.get("result") != Some(&result) {
            wrong.push(format!("{script}should return {result}, got {}", reply.body));
        }
    }
    assert!(wrong.is_empty(), "{host:?}: {} are wrong\n{}\n{}", wrong.len(), wrong.join("\n"), service.log());
}

#[tokio::test]
async fn an_ordinary_user_reads_the_runtime_late() {
    all_return_what_they_should(Host::User).await;
}

#[tokio::test]
async fn a_sealed_script_reads_the_runtime_late() {
    all_return_what_they_should(Host::Lambda).await;
}

//! API keys.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Directory, PATIENCE, Reply, Server};

/// SHA-256 of `first key`, `second key` and `third key`.
pub const FIRST: &str = "dd38fe87fa52119289f4a02e401db807600dbfe87d720b35e6d0aff7343a85ab";
pub const SECOND: &str = "2f2d68ba5b8b6487262c33ead2cf950808cca51bb18b2d49509ce2b30f09f80e";
pub const THIRD: &str = "0c5b35f53cfd36aabdf26b54890e82343bb23ee0e4d92ec42afb0cd4cb2454d7";

const SCRIPT: &str = r#"{"script":"def main(): return 5"}"#;

async fn ask(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = server.request(method.clone(), path);
    if method == Method::POST {
        request = request.header("content-type", "application/json").body(SCRIPT);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request).await
}

fn is_refused(reply: &Reply) {
    let failure = reply.failure_with(401);
    assert!(failure.value.contains("Authorization: Bearer"), "{reply}");
    assert_eq!((failure.stdout.as_str(), reply.header("www-authenticate")), ("", "Bearer"), "{reply}");
}

#[tokio::test]
async fn scripts_are_run_for_those_who_have_a_key() {
    let keys = format!("ci:{FIRST},agents:{SECOND}");
    let server = Server::with(&[("EXECUTOR_API_KEYS", &keys), ("EXECUTOR_PRELOAD", "")]);
    for headers in [
        [("authorization", "Bearer first key")],
        [("authorization", "bearer second key")],
        [("x-api-key", "second key")],
    ] {
        ask(&server, Method::POST, "/execute", &headers).await.succeeds("5", "");
    }
    let beside_the_platforms = [("authorization", "Bearer a.token.of.the.platform"), ("x-api-key", "first key")];
    ask(&server, Method::POST, "/execute", &beside_the_platforms).await.succeeds("5", "");
    for headers in [
        &[][..],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic Zmlyc3Qga2V5")],
        &[("authorization", "Bearer first")],
        &[("authorization", "Bearer first key2")],
        &[("x-api-key", "")],
        &[("x-api-key", FIRST)],
        &[("x-api-key", "\u{e9}")],
    ] {
        for (method, path) in [
            (Method::POST, "/execute"),
            (Method::POST, "/v1/run"),
            (Method::POST, "/v1/check"),
            (Method::GET, "/v1/packages"),
            (Method::GET, "/metrics"),
        ] {
            is_refused(&ask(&server, method, path, headers).await);
        }
    }
    for path in ["/", "/health", "/openapi.json", "/docs/"] {
        assert_eq!(ask(&server, Method::GET, path, &[]).await.status, 200, "{path}");
    }
    ask(&server, Method::GET, "/nowhere", &[]).await.failure_with(404);
}

#[tokio::test]
async fn the_description_says_how_to_present_a_key() {
    let keys = format!("ci:{FIRST}");
    let server = Server::with(&[("EXECUTOR_API_KEYS", &keys), ("EXECUTOR_PRELOAD", "")]);
    let description: Value = serde_json::from_str(&server.get("/openapi.json").await.body).expect("it is JSON");
    let either = json!([{ "bearer": [] }, { "key": [] }]);
    for (path, method) in [("/execute", "post"), ("/v1/run", "post"), ("/v1/check", "post"), ("/v1/packages", "get")] {
        assert_eq!(description["paths"][path][method]["security"], either, "{path}");
    }
    assert!(description["paths"]["/health"]["get"].get("security").is_none());
    let open: Value = serde_json::from_str(&Server::shared().get("/openapi.json").await.body).expect("it is JSON");
    assert!(open["paths"]["/execute"]["post"].get("security").is_none());
}

/// Old and new one are valid at the same time, then the new one alone, without a restart.
#[tokio::test]
async fn keys_are_exchanged_while_the_service_runs() {
    let directory = Directory::new("keys");
    let path = directory.write("keys", &format!("old:{FIRST}\n"));
    let file = path.to_str().expect("UTF-8");
    let server = Server::with(&[("EXECUTOR_API_KEYS_FILE", file), ("EXECUTOR_PRELOAD", "")]);
    let status = async |key: &str| ask(&server, Method::POST, "/execute", &[("x-api-key", key)]).await.status;
    let becomes = async |key: &str, wanted: u16| {
        let all = async {
            while status(key).await != wanted {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("{key} stays\n{}", server.log()));
    };
    assert_eq!((status("first key").await, status("second key").await), (200, 401));
    directory.write("keys", &format!("# exchange\nold:{FIRST}\nnew:{SECOND}\n"));
    becomes("second key", 200).await;
    assert_eq!(status("first key").await, 200);
    directory.write("keys", &format!("new:{SECOND}\n"));
    becomes("first key", 401).await;
    assert_eq!(status("second key").await, 200);
    // What is wrong leaves the keys as they are, and is told, but not the key.
    directory.write("keys", "a key by mistake\n");
    let told = || server.log().text().contains("the keys stay as they were").then_some(());
    crate::support::until("what is wrong is logged", told).await;
    assert_eq!((status("first key").await, status("second key").await), (401, 200));
    assert!(!server.log().text().contains("by mistake"), "{}", server.log());
    // So does a file that is gone.
    std::fs::remove_file(&path).expect("it is there");
    let told = || server.log().text().contains("cannot read the keys of").then_some(());
    crate::support::until("a file that is gone is logged", told).await;
    assert_eq!((status("first key").await, status("second key").await), (401, 200));
}

#[tokio::test]
async fn a_service_behind_loopback_does_not_complain() {
    let here = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    assert!(!here.log().text().contains("no API key is wanted"), "{}", here.log());
}

#[test]
fn wrong_keys_keep_the_service_from_starting() {
    for (variable, value, words) in [
        ("EXECUTOR_API_KEYS", "secret", "EXECUTOR_API_KEYS: an entry is not `name:sha256hex`"),
        ("EXECUTOR_API_KEYS", "ci:secret", "a SHA-256 digest has 64 hexadecimal digits"),
        ("EXECUTOR_API_KEYS_FILE", "/nowhere/keys", "cannot read the keys of /nowhere/keys"),
    ] {
        let (status, log) = Server::refusal(crate::support::server::command(&[(variable, value)]));
        assert!(!status.success() && log.contains(words) && !log.contains("secret:"), "{variable}={value}: {log}");
    }
}

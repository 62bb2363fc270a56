//! `GET /v1/packages`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Server, runtime};

#[tokio::test]
async fn what_is_installed_is_told() {
    let reply = Server::shared().get("/v1/packages").await;
    assert_eq!(reply.status, 200, "{reply}");
    let told: Value = serde_json::from_str(&reply.body).expect("it is JSON");
    let manifest = runtime().join("usr/share/py-executor/manifest.json");
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(manifest).expect("it is there")).expect("JSON");
    let versions = |list: &Value| -> BTreeMap<String, String> {
        let pair =
            |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["version"].as_str().unwrap().to_owned());
        list.as_array().expect("a list").iter().map(pair).collect()
    };
    assert_eq!(versions(&told["packages"]), versions(&manifest["wheels"]));
    assert_eq!(told["python"], manifest["python"]);
    let installed =
        Server::shared().run("import numpy, sys\ndef main(): return [numpy.__version__, sys.version.split()[0]]").await;
    installed.returns(&json!([versions(&told["packages"])["numpy"], told["python"]]));
}

#[tokio::test]
async fn limits_are_those_in_force() {
    let server =
        Server::with(&[("EXECUTOR_TIMEOUT_SECONDS", "2.5"), ("EXECUTOR_MAX_FILES", "5"), ("EXECUTOR_PRELOAD", "")]);
    let told: Value = serde_json::from_str(&server.get("/v1/packages").await.body).expect("it is JSON");
    let expected = json!({
        "timeout_seconds": 2.5, "memory_mb": 512, "processes": 128, "open_files": 1024, "scratch_mb": 64,
        "scratch_files": 16384, "stdout_bytes": 1 << 20, "result_bytes": 5 << 20, "request_bytes": 6 << 20,
        "files": 5, "file_bytes": 8 << 20,
    });
    assert_eq!(told["limits"], expected);
}

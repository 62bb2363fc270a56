//! The API's own description, and the pages that show it.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::emulator::tool;
use crate::support::{Directory, Server};

async fn description() -> Value {
    let reply = Server::shared().get("/openapi.json").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{reply}");
    serde_json::from_str(&reply.body).expect("it is JSON")
}

#[tokio::test]
async fn every_endpoint_is_described() {
    let description = description().await;
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{description}");
    let mut described = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().expect("paths") {
        described
            .extend(methods.as_object().expect("methods").keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    let index: Value = serde_json::from_str(&Server::shared().get("/").await.body).expect("it is JSON");
    let listed: BTreeSet<_> = index["endpoints"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["method"].as_str().unwrap().to_owned(), one["path"].as_str().unwrap().to_owned()))
        .filter(|(_, path)| !["/openapi.json", "/docs"].contains(&path.as_str()))
        .collect();
    assert_eq!(described, listed);
}

/// The types that describe requests are not those that read them.
#[tokio::test]
async fn requests_are_described_as_they_are_read() {
    let description = description().await;
    for (form, name, path) in [
        (py_executor::job::Form::Execute, "ExecuteRequest", "/execute"),
        (py_executor::job::Form::Run, "RunRequest", "/v1/run"),
        (py_executor::job::Form::Check, "CheckRequest", "/v1/check"),
    ] {
        let schema = &description["components"]["schemas"][name];
        let described: BTreeSet<&str> =
            schema["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
        assert_eq!(described, form.fields().iter().copied().collect(), "{path}");
        assert_eq!(
            (&schema["required"], &schema["additionalProperties"]),
            (&json!(["script"]), &json!(false)),
            "{path}"
        );
        let used = &description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(*used, format!("#/components/schemas/{name}"));
    }
}

/// The pages need nothing from elsewhere.
#[tokio::test]
async fn the_pages_are_in_the_binary() {
    let server = Server::shared();
    let page = server.get("/docs/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html"), "{page}");
    let mut assets = 0;
    for attribute in ["src=\"", "href=\""] {
        for (at, _) in page.body.match_indices(attribute) {
            let target = page.body[at + attribute.len()..].split('"').next().expect("it ends");
            assert!(!target.contains("//"), "{target} comes from elsewhere");
            let target = target.trim_start_matches("./");
            let response =
                server.request(reqwest::Method::GET, &format!("/docs/{target}")).send().await.expect("an answer");
            assert_eq!(response.status(), 200, "{target}");
            assets += 1;
        }
    }
    assert!(assets >= 4, "{page}");
    let script = server.get("/docs/swagger-initializer.js").await;
    assert!(script.body.contains("../openapi.json"), "{script}");
}

/// Tests the service as a description says that it is. Requests are the same in each run.
async fn schemathesis(description: &str, arguments: &[&str]) -> Output {
    let directory = Directory::new("schemathesis");
    let mut command = Command::new(tool("schemathesis"));
    command.current_dir(directory.path()).env("NO_PROXY", "*");
    command.args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/rich/schemathesis.toml"), "run"]);
    command.args([description, "--url", &Server::shared().url(""), "--no-color"]);
    command.args(["--seed", "1", "--workers", "1", "--generation-database", "none", "--generation-unique-inputs"]);
    // Machines are slow at times, which is not what is asked here.
    command.args(["--suppress-health-check", "all", "--request-timeout", "60"]);
    command.args(["--max-redirects", "0", "--continue-on-failure"]).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it is waited for");
    let left: Vec<_> = std::fs::read_dir(directory.path()).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?}");
    output.expect("schemathesis can be started")
}

#[track_caller]
fn passes(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Selected: 7/7"), "{said}");
}

#[tokio::test]
async fn the_examples_of_the_description_are_answered_as_it_says() {
    let description = Server::shared().url("/openapi.json");
    passes(&schemathesis(&description, &["--phases", "examples"]).await);
}

/// Valid requests and invalid ones, wrong methods, wrong types: no 5xx, and no answer that is not described.
#[tokio::test]
async fn the_service_is_as_its_description_says() {
    let description = Server::shared().url("/openapi.json");
    // What fits the description is rarely a script that runs.
    let checks = ["--exclude-checks", "positive_data_acceptance"];
    let phases = ["--phases", "coverage,fuzzing", "--max-examples", "150"];
    passes(&schemathesis(&description, &[&phases[..], &checks[..]].concat()).await);
    Server::shared().is_well().await;
}

#[tokio::test]
async fn a_wrong_description_is_found_out() {
    let directory = Directory::new("description");
    let mut wrong = description().await;
    wrong["components"]["schemas"]["Index"]["required"] = json!(["nothing"]);
    let path = directory.write("openapi.json", &wrong.to_string());
    let output = schemathesis(path.to_str().expect("UTF-8"), &["--phases", "coverage", "--include-path", "/"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && said.contains("nothing"), "{}\n{said}", output.status);
}

//! The API's own description, and the pages that show it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Server;

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

//! The body and the content type of a request.

use reqwest::Method;
use serde_json::json;

use crate::support::Server;

const PLAIN: &str = r#"{"script":"def main():\n    return 5\n"}"#;
const KNOWN: &str = "known fields: script, timeout, inputs, stdin, files";

#[tokio::test]
async fn answers_with_result_and_stdout_and_nothing_else() {
    let server = Server::shared();
    server.post(PLAIN).await.succeeds("5", "");
    let script = "
        import numpy as np, pandas as pd

        def main():
            print('hello')
            s = pd.Series(np.array([5.0, 8.0, 10.0]))
            return s.sum()
    ";
    server.execute(script).await.succeeds("23.0", "hello\n");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_its_place() {
    let bodies: [(&[u8], &str); 12] = [
        (b"", "line 1 column "),
        (b" ", "line 1 column "),
        (b"script=1", "line 1 column "),
        (b"{\"script\": }", "line 1 column "),
        (b"{\"script\": \"\"", "line 1 column "),
        (b"{\"script\": \"x\"} trailing", "line 1 column "),
        (b"{\"script\": \"x\"}{}", "line 1 column "),
        (b"{'script': 'x'}", "line 1 column "),
        (b"{\"script\": \"x\",}", "line 1 column "),
        (b"{\n  \"script\": nope\n}", "line 2 column "),
        (b"{\n\n  \"script\": \"a\tb\"\n}", "line 3 column "),
        (b"// comment\n{\"script\": \"x\"}", "line 1 column "),
    ];
    for (body, place) in bodies {
        let reply = Server::shared().post(body).await;
        let error = reply.fails_with("invalid JSON: ");
        let (reason, column) = error
            .rsplit_once(&format!(" at {place}"))
            .unwrap_or_else(|| panic!("expected `... at {place}...`\n{reply}"));
        assert!(reason.len() > "invalid JSON: ".len(), "{reply}");
        assert!(column.parse::<u32>().is_ok(), "{reply}");
        assert_eq!(reply.failure().stdout, "", "{reply}");
    }
}

#[tokio::test]
async fn what_json_cannot_hold_is_refused() {
    let bodies: [&[u8]; 9] = [
        b"{\"script\": \"def main(): return '\xff'\"}",
        b"{\"script\": \"def main(): return '\xed\xa0\x80'\"}",
        br#"{"script": "def main(): return '\ud800'"}"#,
        br#"{"script": "def main(): return 1", "stdin": "\udfff"}"#,
        br#"{"script": "def main(a): return 1", "inputs": {"a": "\ud800"}}"#,
        br#"{"script": "def main(a): return 1", "inputs": {"a": ["\ud800x"]}}"#,
        br#"{"script": "def main(a): return 1", "inputs": {"a": NaN}}"#,
        br#"{"script": "def main(a): return 1", "inputs": {"a": -Infinity}}"#,
        br#"{"script": "def main(a): return 1", "inputs": {"a": 01}}"#,
    ];
    for body in bodies {
        let reply = Server::shared().post(body).await;
        reply.fails_with("invalid JSON: ");
    }
}

#[tokio::test]
async fn a_body_that_is_nested_without_end_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let in_inputs = format!(r#"{{"script":"def main(a): return 1","inputs":{{"a":{deep}}}}}"#);
    Server::shared().post(deep).await.fails_with("");
    Server::shared().post(in_inputs).await.fails_with("");
    Server::shared().is_well().await;
}

#[tokio::test]
async fn a_body_that_is_not_an_object_is_refused() {
    for body in ["[]", "\"def main(): return 1\"", "1", "1.5", "null", "true", " [1] "] {
        let reply = Server::shared().post(body).await;
        reply.fails("request body must be a JSON object", "");
    }
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_name() {
    for (name, value) in
        [("timout", json!(5)), ("Script", json!("x")), ("nan", json!("null")), ("", json!(null)), ("it's", json!({}))]
    {
        let mut body = json!({ "script": "def main(): return 1" });
        body[name] = value;
        let reply = Server::shared().post(body.to_string()).await;
        reply.fails(&format!("unknown field '{name}'; {KNOWN}"), "");
    }
}

#[tokio::test]
async fn duplicate_keys_are_refused_at_every_depth() {
    let script = r#""script":"def main(**a): return 1""#;
    let bodies = [
        (format!("{{{script},{script}}}"), "script"),
        (format!(r#"{{{script},"timeout":1,"timeout":2}}"#), "timeout"),
        (format!(r#"{{{script},"inputs":{{}},"inputs":{{}}}}"#), "inputs"),
        (format!(r#"{{{script},"stdin":"","stdin":""}}"#), "stdin"),
        (format!(r#"{{{script},"inputs":{{"twin":1,"twin":2}}}}"#), "twin"),
        (format!(r#"{{{script},"inputs":{{"a":[{{"twin":1,"twin":1}}]}}}}"#), "twin"),
        (format!(r#"{{{script},"inputs":{{"twin":1,"tw\u0069n":2}}}}"#), "twin"),
    ];
    for (body, key) in bodies {
        let reply = Server::shared().post(body).await;
        let error = reply.failure();
        assert!(error.value.contains("duplicate"), "{reply}");
        assert!(error.value.contains(key), "{reply}");
        assert_eq!(error.stdout, "", "{reply}");
    }
}

#[tokio::test]
async fn the_same_key_in_different_objects_is_no_duplicate() {
    let body = r#"{"script":"def main(a, b): return [a, b]","inputs":{"a":{"x":1},"b":{"x":2}}}"#;
    let reply = Server::shared().post(body).await;
    assert_eq!(reply.returned::<serde_json::Value>(), json!([{ "x": 1 }, { "x": 2 }]));
}

#[tokio::test]
async fn white_space_and_escapes_around_the_object_do_not_matter() {
    let body = "\r\n\t { \"scr\\u0069pt\" : \"def main():\\u000a  return 5\" } \n";
    Server::shared().post(body).await.succeeds("5", "");
}

#[tokio::test]
async fn json_types_and_no_type_are_accepted() {
    let server = Server::shared();
    let untyped = server.request(Method::POST, "/execute").body(PLAIN);
    server.send(untyped).await.succeeds("5", "");
    for accepted in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/problem+json",
        "application/vnd.api+json; version=1",
    ] {
        let request = server.request(Method::POST, "/execute").body(PLAIN);
        let reply = server.send(request.header("content-type", accepted)).await;
        assert_eq!(reply.status, 200, "{accepted}\n{reply}");
        reply.succeeds("5", "");
    }
}

#[tokio::test]
async fn any_other_declared_type_is_refused() {
    let server = Server::shared();
    for refused in [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "text/html; application/json",
        "text/plain; charset=application/json",
        "application/jsonp",
        "application/x-json-lines",
        "json",
        "*/*",
    ] {
        let request = server.request(Method::POST, "/execute").body(PLAIN);
        let reply = server.send(request.header("content-type", refused)).await;
        assert_eq!(reply.status, 400, "{refused}\n{reply}");
        assert_eq!(reply.failure().stdout, "", "{refused}\n{reply}");
    }
}

#[tokio::test]
async fn two_content_types_do_not_smuggle_a_web_form_in() {
    let server = Server::shared();
    let request = server.request(Method::POST, "/execute").body(PLAIN);
    let reply =
        server.send(request.header("content-type", "text/plain").header("content-type", "application/json")).await;
    reply.failure();
}

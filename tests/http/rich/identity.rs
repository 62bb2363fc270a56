//! Request ids and timing.

use reqwest::Method;
use serde_json::json;

use crate::support::{Reply, Server};

async fn send(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let body = json!({ "script": "def main(): return 1" }).to_string();
    let mut request = server.request(Method::POST, path).header("content-type", "application/json").body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request).await
}

const TRACEPARENT: (&str, &str) = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

#[tokio::test]
async fn an_id_comes_back() {
    let server = Server::shared();
    for path in ["/execute", "/v1/run", "/v1/check"] {
        let own = ("x-request-id", "my-job.17");
        assert_eq!(send(server, path, &[own, TRACEPARENT]).await.header("x-request-id"), "my-job.17");
        let trace = send(server, path, &[TRACEPARENT]).await;
        assert_eq!(trace.header("x-request-id"), "4bf92f3577b34da6a3ce929d0e0e4736");
        let (first, second) = (send(server, path, &[]).await, send(server, path, &[]).await);
        assert_eq!(first.header("x-request-id").len(), 32);
        assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    }
    for path in ["/health", "/nowhere", "/docs/"] {
        assert_eq!(server.get(path).await.header("x-request-id").len(), 32, "{path}");
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_replaced() {
    for wrong in ["", "a b", "\"quoted\"", &"x".repeat(129)] {
        let reply = send(Server::shared(), "/execute", &[("x-request-id", wrong)]).await;
        assert_eq!(reply.header("x-request-id").len(), 32, "{wrong:?}");
        reply.succeeds("1", "");
    }
}

#[tokio::test]
async fn jobs_are_timed() {
    for path in ["/execute", "/v1/run", "/v1/check"] {
        let reply = send(Server::shared(), path, &[]).await;
        let timing = reply.header("server-timing");
        let parts: Vec<_> = timing.split(", ").filter_map(|part| part.split_once(";dur=")).collect();
        assert_eq!(parts.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["queue", "run"], "{timing}");
        assert!(parts.iter().all(|(_, milliseconds)| milliseconds.parse::<f64>().is_ok_and(|time| time >= 0.0)));
    }
}

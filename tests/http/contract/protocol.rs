//! HTTP itself: both versions, connections that stay open, bodies in pieces.

use std::net::SocketAddr;

use reqwest::{Client, Version};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use crate::support::connection::Connection;
use crate::support::server::client;
use crate::support::{Reply, Server, json_text};

const PLAIN: &str = r#"{"script":"def main():\n    return 5\n"}"#;
const ANSWER: &str = r#"{"result":5,"stdout":""}"#;

fn post(body: &str) -> String {
    format!("POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn speaks_http_1_1() {
    let server = Server::shared();
    let client = client(Client::builder().http1_only());
    let response = client.post(server.url("/execute")).body(PLAIN).send().await.expect("an answer");
    assert_eq!(response.version(), Version::HTTP_11);
    assert_eq!(response.text().await.expect("a body"), ANSWER);
}

#[tokio::test]
async fn speaks_http_2_without_tls_by_prior_knowledge() {
    let server = Server::shared();
    let client = client(Client::builder().http2_prior_knowledge());
    let response = client.post(server.url("/execute")).body(PLAIN).send().await.expect("an answer");
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.expect("a body"), ANSWER);
}

#[tokio::test]
async fn one_http_2_connection_carries_many_requests_at_once() {
    let server = Server::shared();
    let client = client(Client::builder().http2_prior_knowledge());
    let mut requests = JoinSet::new();
    for number in 0..40 {
        let (client, url) = (client.clone(), server.url("/execute"));
        let script = json_text(&format!("def main():\n    print({number})\n    return {number}"));
        requests.spawn(async move {
            let body = format!(r#"{{"script":{script}}}"#);
            let response = client.post(url).body(body).send().await.expect("an answer");
            let expected = format!(r#"{{"result":{number},"stdout":"{number}\n"}}"#);
            assert_eq!(response.text().await.expect("a body"), expected);
        });
    }
    assert_eq!(requests.join_all().await.len(), 40);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let mut connection = Connection::open(Server::shared().address()).await;
    for _ in 0..3 {
        connection.write(&post(PLAIN)).await;
        connection.read().await.succeeds("5", "");
    }
    connection.write(&post("nonsense")).await;
    connection.read().await.fails_with("invalid JSON: ");
    connection.write(&post(PLAIN)).await;
    connection.read().await.succeeds("5", "");
}

#[tokio::test]
async fn a_connection_is_closed_when_the_client_asks_for_it() {
    let mut connection = Connection::open(Server::shared().address()).await;
    let request = post(PLAIN).replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    connection.write(&request).await;
    connection.read().await.succeeds("5", "");
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn a_body_may_come_in_chunks() {
    let mut connection = Connection::open(Server::shared().address()).await;
    connection.write("POST /execute HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for piece in PLAIN.as_bytes().chunks(7) {
        let piece = std::str::from_utf8(piece).expect("ASCII");
        connection.write(&format!("{:x}\r\n{piece}\r\n", piece.len())).await;
    }
    connection.write("0\r\n\r\n").await;
    connection.read().await.succeeds("5", "");
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_its_body_gets_it() {
    let mut connection = Connection::open(Server::shared().address()).await;
    let head = format!(
        "POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        PLAIN.len()
    );
    connection.write(&head).await;
    assert_eq!(connection.read().await.status, 100);
    connection.write(PLAIN).await;
    connection.read().await.succeeds("5", "");
}

#[tokio::test]
async fn what_is_not_http_does_not_disturb_anyone() {
    let server = Server::shared();
    for rubbish in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Length: 3\r\n\r\n123456789",
    ] {
        let mut connection = Connection::open(server.address()).await;
        connection.write(rubbish).await;
        let mut answer = Vec::new();
        let _ = connection.0.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{rubbish:?}: {answer}");
    }
    server.is_well().await;
}

/// Sends a request to the end before it reads the answer, as most clients do.
async fn sent_whole(address: SocketAddr, head: &str, body: &str) -> Reply {
    let head = format!("{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
    let mut connection = Connection::open(address).await;
    connection.write(&format!("{head}Content-Type: application/json\r\n\r\n")).await;
    connection.write(body).await;
    connection.read().await
}

/// A request of six million bytes for a script that does nothing with them.
fn large() -> String {
    format!(r#"{{"script":"def main(): return 5 #{}"}}"#, "x".repeat(6_000_000))
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_body_that_is_too_large_gets_its_413() {
    let body = large().repeat(3);
    sent_whole(Server::shared().address(), "POST /execute", &body).await.failure_with(413);
    Server::shared().is_well().await;
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_large_body_of_a_wrong_type_gets_its_400() {
    let mut connection = Connection::open(Server::shared().address()).await;
    let request = post(&large()).replacen("\r\n\r\n", "\r\nContent-Type: text/plain\r\n\r\n", 1);
    connection.write(&request).await;
    connection.read().await.failure_with(400);
    Server::shared().is_well().await;
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_large_body_to_a_wrong_place_gets_its_404_or_405() {
    let address = Server::shared().address();
    for (head, status) in [("POST /nothing", 404), ("PUT /execute", 405), ("POST /health", 405)] {
        sent_whole(address, head, &large()).await.failure_with(status);
    }
    Server::shared().is_well().await;
}

#[tokio::test]
async fn of_many_large_requests_at_once_each_gets_an_answer() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let mut requests = JoinSet::new();
    for _ in 0..60 {
        let address = server.address();
        requests.spawn(async move { sent_whole(address, "POST /execute", &large()).await });
    }
    let replies = requests.join_all().await;
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        let seconds: u32 = reply.header("retry-after").parse().expect("a number of seconds");
        assert!(seconds > 0, "{reply}");
        reply.failure_with(503);
    }
    let answered: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert!(!answered.is_empty());
    for reply in answered {
        reply.succeeds("5", "");
    }
    server.is_well().await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_service_usable() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let name = crate::support::unique();
    let script = format!("def main():\n    {}\n    while True: pass", crate::support::announcing(&name));
    let body = format!(r#"{{"timeout":2,"script":{}}}"#, json_text(&script));
    let mut connection = Connection::open(server.address()).await;
    connection.write(&post(&body)).await;
    crate::support::until("the script runs", || (!crate::support::process::named(&name).is_empty()).then_some(()))
        .await;
    drop(connection);
    server.is_well().await;
}

//! Clients that are slow, silent or too many.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, frame, head};
use super::metrics::{Scrape, until};
use crate::support::connection::Connection;
use crate::support::{PATIENCE, Server};

async fn cut(server: &Server, reason: &str) -> u64 {
    Scrape::of(server).await.value(&format!(r#"executor_connections_cut_total{{reason="{reason}"}}"#))
}

/// Sends the head of a request byte by byte, and says when it was cut.
#[tokio::test]
async fn a_head_that_comes_by_drips_is_cut() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let mut connection = Connection::open(server.address()).await;
    let start = Instant::now();
    let mut drips = b"POST /execute HTTP/1.1\r\nX-Drip: ".iter().chain(std::iter::repeat(&b'x'));
    while connection.0.write_all(&[*drips.next().expect("it never ends")]).await.is_ok() {
        assert!(start.elapsed() < PATIENCE, "it is never cut");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(start.elapsed() > Duration::from_secs(9), "{:?}", start.elapsed());
    assert_eq!(cut(&server, "slow_head").await, 1);
    server.is_well().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_before_all_of_it_is_there() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let mut connection = Connection::open(server.address()).await;
    let field = format!("x-long: {}\r\n", "x".repeat(8000));
    connection.write(&format!("GET /health HTTP/1.1\r\nHost: x\r\n{}", field.repeat(9))).await;
    assert_eq!(connection.read().await.status, 431);
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Server::with(&[("EXECUTOR_IDLE_SECONDS", "1"), ("EXECUTOR_PRELOAD", "")]);
    let mut silent = Connection::open(server.address()).await;
    let mut used = Connection::open(server.address()).await;
    used.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(used.read().await.status, 200);
    for connection in [&mut silent, &mut used] {
        let closed = tokio::time::timeout(PATIENCE, connection.is_closed()).await;
        assert_eq!(closed, Ok(true), "it stays open");
    }
    assert_eq!(cut(&server, "idle").await, 2);
}

/// A request that takes longer than a connection may be idle.
#[tokio::test]
async fn a_connection_that_waits_for_its_answer_is_not_idle() {
    let server = Server::with(&[("EXECUTOR_IDLE_SECONDS", "1"), ("EXECUTOR_PRELOAD", "")]);
    for path in ["/execute", "/v1/run"] {
        let script = json!({ "script": "import time\ndef main():\n    time.sleep(7)\n    return 5" }).to_string();
        let reply = server.post_to(path, script).await;
        assert_eq!(reply.status, 200, "{reply}");
    }
}

#[tokio::test]
async fn connections_that_ask_for_nothing_make_room_for_others() {
    let server = Server::with(&[("EXECUTOR_MAX_CONNECTIONS", "10"), ("EXECUTOR_PRELOAD", "")]);
    let mut silent = Vec::new();
    for number in 0..25 {
        let mut connection = TcpStream::connect(server.address()).await.expect("it is accepted");
        if number % 2 == 0 {
            connection.write_all(b"POST /execute HTTP/1.1\r\nX-Begun: ").await.expect("it is open");
        }
        silent.push(connection);
    }
    let start = Instant::now();
    for _ in 0..10 {
        server.is_well().await;
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(cut(&server, "displaced").await >= 15);
    let open = Scrape::of(&server).await.value("executor_connections");
    assert!(open <= 10, "{open}");
}

/// Whoever waits for an answer keeps the connection, and whoever comes then waits.
#[tokio::test]
async fn a_connection_that_waits_for_its_answer_is_not_displaced() {
    let variables = [("EXECUTOR_MAX_CONNECTIONS", "2"), ("EXECUTOR_CONCURRENCY", "4"), ("EXECUTOR_PRELOAD", "")];
    let server = std::sync::Arc::new(Server::with(&variables));
    let mut jobs = JoinSet::new();
    for number in 0..6 {
        let server = std::sync::Arc::clone(&server);
        jobs.spawn(async move {
            let script = format!("import time\ndef main():\n    time.sleep(0.5)\n    return {number}");
            server.execute(&script).await.succeeds(&number.to_string(), "");
        });
    }
    jobs.join_all().await;
    assert_eq!(cut(&server, "displaced").await, 0);
}

/// A client that asks for an answer of some 11 MB, and reads nothing of it.
async fn asks_and_does_not_read(address: SocketAddr) -> TcpStream {
    let script = "def main():\n    open('large', 'wb').write(bytes(8_000_000))";
    let body = json!({ "script": script }).to_string();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut client = socket.connect(address).await.expect("it is accepted");
    let head = format!("POST /v1/run HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write_all((head + &body).as_bytes()).await.expect("it is open");
    client
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let mut client = asks_and_does_not_read(server.address()).await;
    until(&server, "the answer lies there", |scrape| scrape.value("executor_answers_unread_bytes") > 10_000_000).await;
    let start = Instant::now();
    until(&server, "it is given up", |scrape| scrape.value("executor_answers_unread_bytes") < 1_000_000).await;
    assert!(start.elapsed() > Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(cut(&server, "slow_reader").await, 1);
    let mut rest = Vec::new();
    let read = client.read_to_end(&mut rest).await;
    assert!(read.is_err() || rest.len() < 10_000_000, "all of it came");
    server.is_well().await;
}

/// Reads an answer of some 11 MB, which takes a second or more. Says how much of it came.
async fn reads_slowly(mut client: TcpStream) -> usize {
    let (mut part, mut all) = (vec![0; 1 << 16], 0);
    while let Ok(bytes @ 1..) = client.read(&mut part).await {
        all += bytes;
        tokio::time::sleep(Duration::from_micros(bytes as u64 / 8)).await;
    }
    all
}

/// It has got its last byte when it has read it, not when it could.
#[tokio::test]
async fn a_client_that_still_reads_its_answer_is_not_displaced() {
    let server = Server::with(&[("EXECUTOR_MAX_CONNECTIONS", "4"), ("EXECUTOR_PRELOAD", "")]);
    let client = tokio::spawn(reads_slowly(asks_and_does_not_read(server.address()).await));
    until(&server, "it reads", |scrape| scrape.value("executor_answers_unread_bytes") > 1_000_000).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut others = Vec::new();
    for _ in 0..8 {
        others.push(TcpStream::connect(server.address()).await.expect("it is accepted"));
    }
    server.is_well().await;
    assert!(!client.is_finished(), "it was too fast for this test");
    // The connection stays when all has come.
    tokio::time::sleep(Duration::from_secs(4)).await;
    drop(server);
    let bytes = client.await.expect("it does not panic");
    assert!(bytes > 10_000_000, "{bytes}");
}

#[tokio::test]
async fn a_client_that_still_reads_its_answer_has_the_grace_period_for_that() {
    let mut server = Server::with(&[("EXECUTOR_SHUTDOWN_GRACE_SECONDS", "9"), ("EXECUTOR_PRELOAD", "")]);
    let client = tokio::spawn(reads_slowly(asks_and_does_not_read(server.address()).await));
    until(&server, "it reads", |scrape| scrape.value("executor_answers_unread_bytes") > 1_000_000).await;
    server.process().signal(Signal::TERM);
    let bytes = client.await.expect("it does not panic");
    assert!(bytes > 10_000_000, "{bytes}");
    assert!(server.process_mut().wait(Duration::from_secs(8)).success(), "{}", server.log());
}

/// It asks for an event stream, or all of an answer, and lets nothing of it come.
#[tokio::test]
async fn a_client_that_keeps_its_answers_back_by_http_2_is_cut() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let script = "def main():\n    print('begun')\n    open('large', 'wb').write(bytes(8_000_000))";
    let body = json!({ "script": script }).to_string();
    for accept in ["application/json", "text/event-stream"] {
        let mut client = TcpStream::connect(server.address()).await.expect("it is accepted");
        client.write_all(&without_window("/v1/run", accept, &body)).await.expect("it is open");
        until(&server, "the answer lies there", |scrape| scrape.value("executor_answers_unread_bytes") > 8_000_000)
            .await;
        let start = Instant::now();
        until(&server, "it is given up", |scrape| scrape.value("executor_answers_unread_bytes") < 1_000_000).await;
        assert!(start.elapsed() > Duration::from_secs(20), "{accept}: {:?}", start.elapsed());
    }
    assert_eq!(cut(&server, "slow_reader").await, 2);
    server.is_well().await;
}

/// A request by HTTP/2 with a window of no bytes for its answer (RFC 9113, 6.5.2).
fn without_window(path: &str, accept: &str, body: &str) -> Vec<u8> {
    [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]),
        frame(HEADERS, END_HEADERS, 1, &head("POST", path, accept)),
        frame(DATA, END_STREAM, 1, body.as_bytes()),
    ]
    .concat()
}

/// Unread answers take memory of the service, so there cannot be any number of them.
#[tokio::test]
async fn while_too_many_answers_are_unread_there_are_no_others() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(asks_and_does_not_read(server.address()).await);
    }
    until(&server, "they lie there", |scrape| scrape.value("executor_answers_unread_bytes") > 128 << 20).await;
    let refused = server.execute("def main(): pass").await;
    refused.failure_with(503);
    assert_eq!(refused.header("retry-after"), "5", "{refused}");
    assert_eq!(server.get("/health").await.status, 200);
    drop(clients);
    until(&server, "they are given up", |scrape| scrape.value("executor_answers_unread_bytes") < 1 << 20).await;
    server.is_well().await;
}

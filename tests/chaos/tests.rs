//! The suite once around; and that it can fail.

#[path = "suite.rs"]
mod suite;

use std::net::SocketAddr;
use std::time::Duration;

use suite::Plan;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What chance is made of: the same for everybody, so that a failure can be had again.
const SEED: u64 = 7;

#[tokio::test(flavor = "multi_thread")]
async fn the_service_holds_under_every_disturbance() {
    let report = suite::run(&Plan::short(SEED)).await.expect("there is a service to disturb");
    assert!(report.is_good(), "{report}");
    println!("{report}");
}

/// A server that gives one answer to everybody, with the request's id in the place of `ID`.
async fn always(response: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, response));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, response: &str) -> std::io::Result<()> {
    let mut request = vec![0; 64 << 10];
    let length = stream.read(&mut request).await?;
    let head = String::from_utf8_lossy(&request[..length]).into_owned();
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap_or_default();
    stream.write_all(response.replace("ID", id).as_bytes()).await
}

#[tokio::test]
async fn a_service_that_mixes_up_its_callers_is_found_out() {
    let response = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: ID\r\nconnection: close\r\n\r\n\
                    {\"result\":5,\"stdout\":\"nonce-00000000ffffffff\\n\"}";
    let report = suite::watch(always(response).await, Duration::from_millis(300)).await.expect("it listens");
    assert!(!report.is_good() && report.total().wrong_caller > 0, "{report}");
}

#[tokio::test]
async fn a_service_that_breaks_connections_is_found_out() {
    let report = suite::watch(always("").await, Duration::from_millis(300)).await.expect("it listens");
    assert!(!report.is_good() && report.total().wrong > 0, "{report}");
}

#[tokio::test]
async fn a_service_that_refuses_everybody_serves_nobody() {
    let response = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
                    x-request-id: ID\r\nconnection: close\r\n\r\n{\"error\":\"busy\",\"stdout\":\"\"}";
    let report = suite::watch(always(response).await, Duration::from_millis(300)).await.expect("it listens");
    assert!(!report.is_good() && report.total().refused > 0, "{report}");
}

#[tokio::test]
async fn where_no_disturbance_has_the_name_there_is_no_report() {
    let plan = Plan { only: Some("nothing-of-that-name".into()), ..Plan::short(SEED) };
    assert!(suite::run(&plan).await.is_err());
}

#[test]
fn every_disturbance_has_a_name_of_its_own() {
    let mut names: Vec<&str> = suite::disturbances().iter().map(|one| one.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name stands twice");
}

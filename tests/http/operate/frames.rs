//! HTTP/2, frame by frame (RFC 9113): clients that send frames for nothing, and some that only resemble them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::metrics::Scrape;
use crate::support::{PATIENCE, Server};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The payload of HEADERS: literal fields with literal names (RFC 7541, 6.2.2).
pub fn head(method: &str, path: &str, accept: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("it is short")], text.as_bytes()].concat();
    let fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "x"), ("accept", accept)];
    fields.into_iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", "/health", "*/*"))
}

fn post(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &head("POST", "/execute", "*/*"))
}

fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

fn ping() -> Vec<u8> {
    frame(PING, 0, 0, &[7; 8])
}

/// A connection on which nothing has been asked yet.
async fn open(server: &Server) -> (OwnedReadHalf, OwnedWriteHalf) {
    let client = TcpStream::connect(server.address()).await.expect("it is accepted");
    let (reads, mut writes) = client.into_split();
    // It is HTTP/2 also if it comes by parts. The service's own settings are acknowledged last.
    for part in [&PREFACE[..1], &PREFACE[1..], &frame(SETTINGS, 0, 0, &[]), &frame(SETTINGS, ACK, 0, &[])] {
        writes.write_all(part).await.expect("it is open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (reads, writes)
}

/// The next frame: its kind, flags, stream, and payload.
async fn next(reads: &mut OwnedReadHalf) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    reads.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    reads.read_exact(&mut payload).await.ok()?;
    Some((kind, flags, u32::from_be_bytes(stream), payload))
}

/// Reads until so many answers have come to their end; gives the last one's body. Sends what `reply` makes of each part.
async fn answers(
    (reads, writes): (&mut OwnedReadHalf, &mut OwnedWriteHalf),
    count: usize,
    reply: impl Fn(u32, u32) -> Vec<u8>,
) -> Vec<u8> {
    let (mut ended, mut last, mut bodies) = (0, 0, BTreeMap::<u32, Vec<u8>>::new());
    while ended < count {
        let (kind, flags, stream, payload) = next(reads).await.expect("the connection is open");
        assert!(kind != GOAWAY, "{ended} answers, then {payload:?}");
        if kind == DATA {
            bodies.entry(stream).or_default().extend_from_slice(&payload);
            let bytes = u32::try_from(payload.len()).expect("it is short");
            writes.write_all(&reply(stream, bytes)).await.expect("the connection is open");
        }
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            (ended, last) = (ended + 1, stream);
        }
    }
    bodies.remove(&last).unwrap_or_default()
}

async fn cut(server: &Server) -> u64 {
    Scrape::of(server).await.value(r#"executor_connections_cut_total{reason="flood"}"#)
}

#[tokio::test]
async fn frames_that_bring_nothing_on_are_cut() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let floods = [
        (vec![], ping()),
        (vec![], frame(SETTINGS, 0, 0, &[])),
        (vec![], window_update(0, 1)),
        (vec![], frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])),
        (get(1), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])),
        (post(1), window_update(1, 1)),
        // The last one: the h2 crate itself ends the connection, before it is counted.
        (post(1), frame(DATA, 0, 1, &[])),
    ];
    for (number, (before, flood)) in floods.iter().enumerate() {
        let (mut reads, mut writes) = open(&server).await;
        writes.write_all(before).await.expect("it is open");
        let reading = tokio::spawn(async move { while next(&mut reads).await.is_some() {} });
        let (flood, start) = (flood.repeat(1000), Instant::now());
        while writes.write_all(&flood).await.is_ok() {
            assert!(start.elapsed() < PATIENCE, "{number} is never cut");
        }
        reading.await.expect("it does not panic");
        server.is_well().await;
        let counted = (number + 1).min(floods.len() - 1) as u64;
        assert_eq!(cut(&server).await, counted, "{number}");
    }
}

/// It sends more frames than those who are cut.
#[tokio::test]
async fn a_client_with_many_requests_windows_and_pings_is_not_cut() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let (mut reads, mut writes) = open(&server).await;
    let after_each = |stream, bytes| match bytes {
        0 => ping(),
        _ => [window_update(0, bytes), window_update(stream, bytes), ping()].concat(),
    };
    let mut stream = 1;
    for _ in 0..80 {
        for _ in 0..50 {
            writes.write_all(&get(stream)).await.expect("it is open");
            stream += 2;
        }
        let body = answers((&mut reads, &mut writes), 50, |_, bytes| [window_update(0, bytes), ping()].concat()).await;
        assert!(body.starts_with(br#"{"status":"every promise is kept""#));
    }
    assert_eq!(cut(&server).await, 0);

    // An answer of 5 MB, by parts.
    let body = br#"{"script":"def main(): return 'x' * 5_000_000"}"#;
    let request = [post(stream), frame(DATA, END_STREAM, stream, body)].concat();
    writes.write_all(&request).await.expect("it is open");
    let body = answers((&mut reads, &mut writes), 1, after_each).await;
    assert_eq!(body.len(), br#"{"result":"","stdout":""}"#.len() + 5_000_000);
    stream += 2;

    // Bodies that come by drips.
    let script = format!(r#"{{"script":"def main(): return 5\n#{}"}}"#, "x".repeat(600_000));
    for _ in 0..6 {
        writes.write_all(&post(stream)).await.expect("it is open");
        for drips in script.as_bytes().chunks(30_000) {
            let drips: Vec<u8> = drips.chunks(256).flat_map(|drip| frame(DATA, 0, stream, drip)).collect();
            writes.write_all(&drips).await.expect("it is open");
        }
        writes.write_all(&frame(DATA, END_STREAM, stream, &[])).await.expect("it is open");
        let body = answers((&mut reads, &mut writes), 1, after_each).await;
        assert_eq!(String::from_utf8_lossy(&body), r#"{"result":5,"stdout":""}"#);
        stream += 2;
    }
    assert_eq!(cut(&server).await, 0);
}

//! Bytes that no HTTP library would send, and clients that do not behave.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::bench::Bench;
use super::judge::Trouble;
use super::scenario::{Drive, Outcome, Promise, Scenario, attack};

const P: Promise = Promise::Service;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        attack(P, "svc-garbage", "bytes that are no HTTP", Drive::Http(|bench| Box::pin(garbage(bench)))),
        attack(
            P,
            "svc-smuggling",
            "two lengths, a length and chunks, broken chunks",
            Drive::Http(|bench| Box::pin(smuggling(bench))),
        ),
        attack(
            P,
            "svc-half-request",
            "clients that stop in the middle, many of them",
            Drive::Http(|bench| Box::pin(half_requests(bench))),
        )
        .destructive(),
        attack(
            P,
            "svc-idle-connections",
            "1,100 connections that say nothing",
            Drive::Http(|bench| Box::pin(idle_connections(bench))),
        )
        .alone()
        .destructive(),
        attack(
            P,
            "svc-gone-client",
            "clients that leave while their script runs",
            Drive::Http(|bench| Box::pin(gone_clients(bench))),
        )
        .alone(),
        attack(P, "svc-headers", "too many and too long headers", Drive::Http(|bench| Box::pin(headers(bench)))),
    ]
}

async fn connect(bench: &Bench) -> Result<TcpStream, Trouble> {
    if !bench.http()?.is_plain() {
        return Err(Trouble::NotApplicable("not through TLS".into()));
    }
    TcpStream::connect(bench.http()?.authority())
        .await
        .map_err(|error| Trouble::Broken(format!("no connection: {error}")))
}

/// Sends bytes and reads until the service closes or a moment has passed.
async fn talk(bench: &Bench, bytes: &[u8]) -> Result<String, Trouble> {
    let mut stream = connect(bench).await?;
    // A service may close before it has read all.
    let _ = stream.write_all(bytes).await;
    let mut answer = vec![0; 64 << 10];
    let mut length = 0;
    while let Ok(Ok(more)) = timeout(Duration::from_millis(700), stream.read(&mut answer[length..])).await {
        if more == 0 || length + more == answer.len() {
            break;
        }
        length += more;
    }
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn is_no_fault(what: &str, answer: &str) -> Outcome {
    if answer.starts_with("HTTP/1.1 5") && !answer.starts_with("HTTP/1.1 501") && !answer.starts_with("HTTP/1.1 505") {
        return Err(Trouble::Broken(format!("{what}: {}", answer.lines().next().unwrap_or_default())));
    }
    Ok(())
}

async fn garbage(bench: &Bench) -> Outcome {
    let all: [&[u8]; 7] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"POST\r\n\r\n",
        b"POST /execute HTTP/9.9\r\nhost: x\r\n\r\n",
        b"POST /execute HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /execute HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    for bytes in all {
        is_no_fault(&String::from_utf8_lossy(bytes), &talk(bench, bytes).await?)?;
    }
    Ok(())
}

/// A second request hidden in the first must not be answered as if it were one.
async fn smuggling(bench: &Bench) -> Outcome {
    let hidden = "GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n";
    let all = [
        format!("content-length: 5\r\ncontent-length: {}\r\n\r\n12345{hidden}", 5 + hidden.len()),
        format!("content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}", 5 + hidden.len()),
        format!("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}"),
        format!("transfer-encoding: xchunked\r\ncontent-length: 0\r\n\r\n{hidden}"),
        format!("transfer-encoding : chunked\r\ncontent-length: 0\r\n\r\n{hidden}"),
    ];
    for rest in all {
        let answer = talk(bench, format!("POST /execute HTTP/1.1\r\nhost: x\r\n{rest}").as_bytes()).await?;
        is_no_fault(&rest, &answer)?;
        let lengths_disagree = rest.starts_with("content-length: 5\r\n");
        if lengths_disagree && answer.matches("HTTP/1.1").count() > 1 {
            return Err(Trouble::Broken(format!("two answers for one request with two lengths: {answer}")));
        }
    }
    Ok(())
}

async fn half_requests(bench: &Bench) -> Outcome {
    let mut kept = Vec::new();
    for number in 0..60 {
        let mut stream = connect(bench).await?;
        let bytes: &[u8] = match number % 3 {
            0 => b"POST /exe",
            1 => b"POST /execute HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500000\r\n\r\n{",
            _ => b"",
        };
        let _ = stream.write_all(bytes).await;
        kept.push(stream);
    }
    // They are all still there while a plain script runs.
    bench.is_well().await.map_err(|words| Trouble::Broken(format!("with 60 half requests open: {words}")))
}

/// More than the usual limit of open files, here and there.
async fn idle_connections(bench: &Bench) -> Outcome {
    use rustix::process::{Resource, getrlimit, setrlimit};
    const MANY: u64 = 1100;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if limit.maximum.is_some_and(|most| most < MANY + 100) || setrlimit(Resource::Nofile, limit).is_err() {
        return Err(Trouble::NotApplicable("too few open files allowed here".into()));
    }
    let mut kept = Vec::new();
    for _ in 0..MANY {
        // A service may refuse some of them, as long as it answers others.
        match timeout(Duration::from_secs(2), connect(bench)).await {
            Ok(Ok(stream)) => kept.push(stream),
            Ok(Err(Trouble::NotApplicable(reason))) => return Err(Trouble::NotApplicable(reason)),
            _ => break,
        }
    }
    bench.is_well().await.map_err(|words| Trouble::Broken(format!("with {} idle connections: {words}", kept.len())))
}

async fn gone_clients(bench: &Bench) -> Outcome {
    let script = "import time\ndef main():\n    time.sleep(20)";
    let body = json!({ "script": script, "timeout": 2 }).to_string();
    let credentials = bench.http()?.headers().into_iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let credentials: String = credentials.collect();
    let head = format!(
        "POST /execute HTTP/1.1\r\nhost: x\r\n{credentials}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    for _ in 0..6 {
        let mut stream = connect(bench).await?;
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        drop(stream);
    }
    let start = Instant::now();
    bench.is_well().await.map_err(|words| Trouble::Broken(format!("after six clients have gone: {words}")))?;
    // At worst all six have run to their end, one after the other.
    if start.elapsed() > Duration::from_secs(15) + bench.options.slack {
        return Err(Trouble::Broken(format!("the next script waited for {:?}", start.elapsed())));
    }
    Ok(())
}

async fn headers(bench: &Bench) -> Outcome {
    let many = "x: y\r\n".repeat(20_000);
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    for rest in [many, long] {
        let answer = talk(bench, format!("GET /health HTTP/1.1\r\nhost: x\r\n{rest}\r\n").as_bytes()).await?;
        is_no_fault("headers", &answer)?;
    }
    Ok(())
}

//! Faults that the service once had, named by what went wrong.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::ORIGIN;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::process::named;
use crate::support::{Server, announcing, unique, until};

#[tokio::test]
async fn memory_of_a_process_without_its_main_thread_was_not_counted() {
    let script = "
        import ctypes, os, threading, time

        def child():
            def hold():
                time.sleep(0.1)
                block = bytearray(300 << 20)
                time.sleep(60)
            threading.Thread(target=hold).start()
            ctypes.CDLL(None).syscall(60, 0)

        def main():
            for _ in range(4):
                if os.fork() == 0:
                    child()
            time.sleep(60)
    ";
    let reply = Server::shared().execute(script).await;
    reply.fails("MemoryError: script exceeded its memory limit of 512 MB", "");
}

#[tokio::test]
async fn memory_that_a_child_shares_until_it_executes_was_counted_twice() {
    let script = "
        import subprocess, sys

        def main():
            block = bytearray(360 << 20)
            for _ in range(20):
                subprocess.run([sys.executable, '-I', '-S', '-c', 'pass'], check=True)
            return len(block) >> 20
    ";
    Server::shared().execute(script).await.succeeds("360", "");
}

#[tokio::test]
async fn a_forked_child_that_came_back_from_main_answered_for_the_script() {
    let script = "
        import os, time

        def main():
            if os.fork() == 0:
                return 'child'
            time.sleep(0.3)
            return 'script'
    ";
    Server::shared().execute(script).await.succeeds(r#""script""#, "");
}

#[tokio::test]
async fn an_answer_was_lost_when_its_worker_ended_at_once() {
    for number in 0..200 {
        let script = format!("def main():\n    print({number})\n    return {number}");
        Server::shared().execute(&script).await.succeeds(&number.to_string(), &format!("{number}\n"));
    }
}

#[tokio::test]
async fn a_script_that_outlived_the_grace_period_got_no_answer() {
    let server = Server::with(&[("EXECUTOR_SHUTDOWN_GRACE_SECONDS", "0.5")]);
    let name = unique();
    let script = format!("import time\ndef main():\n    {}\n    time.sleep(20)", announcing(&name));
    let (reply, ()) = tokio::join!(server.execute(&script), async {
        until("the script runs", || (!named(&name).is_empty()).then_some(())).await;
        server.process().signal(Signal::TERM);
    });
    assert_eq!(reply.status, 503, "{reply}");
}

#[tokio::test]
async fn unfinished_bodies_took_all_memory() {
    // The account holds 64 MiB: twelve bodies of 6 MB, each short of its last byte, do not fit.
    let server = Server::start();
    let length = 6_000_000;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
        clients.spawn(async move {
            let request = format!("POST /execute HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("a refused body is still read");
            stream.write_all(&vec![b' '; length - 1]).await.expect("a refused body is still read");
            let mut answer = [0; 12];
            // The service gives the rest of a refused body a few seconds.
            let read = tokio::time::timeout(Duration::from_secs(8), stream.read_exact(&mut answer)).await;
            matches!(read, Ok(Ok(_))) && &answer == b"HTTP/1.1 503"
        });
    }
    let refused = clients.join_all().await.into_iter().filter(|refused| *refused).count();
    assert!((1..=3).contains(&refused), "{refused} of 12 were refused");
    server.is_well().await;
}

#[tokio::test]
async fn a_web_page_could_send_a_script_without_a_type() {
    let server = Server::shared();
    let body = r#"{"script":"def main(): return 1"}"#;
    let request = || server.request(Method::POST, "/execute").body(body);
    server.send(request()).await.succeeds("1", "");
    let reply = server.send(request().header(ORIGIN, "https://example.com")).await;
    reply.fails("content type must be application/json, not missing", "");
}

#[tokio::test]
async fn a_misspelt_name_lacked_pythons_suggestion() {
    let script = "def main():\n    counter = 1\n    return countr";
    let error = "NameError: name 'countr' is not defined. Did you mean: 'counter'?";
    Server::shared().execute(script).await.fails(error, "");
}

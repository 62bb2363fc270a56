//! Large requests, and what they cost the service.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::support::Server;

/// Bytes; the service takes 6 MiB.
const LARGE: usize = 6_000_000;

/// KiB of the service's memory: at most so far.
fn most_memory(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Each character of these is a token of its own, or a name, or has to be unescaped.
#[tokio::test]
async fn large_scripts_take_no_more_memory_than_their_size() {
    const TOGETHER: usize = 6;
    let begin = |text: &str| format!("def main(): return 5\n{text}");
    let scripts = [
        begin("x=") + &"(".repeat(LARGE),
        begin("import ") + &"a,".repeat(LARGE / 2),
        begin("#") + &"\\n".repeat(LARGE / 2),
    ];
    for script in scripts {
        let server = Arc::new(Server::with(&[("EXECUTOR_PRELOAD", "")]));
        server.is_well().await;
        let before = most_memory(&server);
        let mut requests = JoinSet::new();
        for _ in 0..TOGETHER {
            let (server, body) = (Arc::clone(&server), format!(r#"{{"script":"{}"}}"#, script.replace('\n', "\\n")));
            requests.spawn(async move { server.post(body).await });
        }
        for reply in requests.join_all().await {
            assert!(matches!(reply.status, 200 | 400), "{reply}");
        }
        let grown = (most_memory(&server) - before) << 10;
        println!("GROWN {} MB", grown >> 20);
        // One of them is there twice while it is parsed, and one that has to be unescaped three times.
        assert!(grown < (TOGETHER + 2) * LARGE + (16 << 20), "{} MiB", grown >> 20);
        server.is_well().await;
    }
}

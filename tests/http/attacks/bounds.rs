//! Bounded time, memory, processes, scratch space and descriptors.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{program, run};
use crate::support::process::named;
use crate::support::server::AT_ONCE;
use crate::support::{Reply, Server, unique, until};

#[tokio::test]
async fn whatever_never_ends_is_ended() {
    let server = Server::start();
    for way in [
        "loop",
        "sum",
        "power",
        "pattern",
        "deaf",
        "stubborn",
        "children",
        "threads",
        "stopped",
        "stopped session",
        "waiting",
        "stdin",
    ] {
        let start = Instant::now();
        let fields = json!({ "inputs": { "way": way }, "timeout": 1 });
        let reply = server.execute_with(program!("time_loop"), fields).await;
        let took = start.elapsed();
        assert_eq!(reply.failure().value, "TimeoutError: script exceeded its time limit of 1 s", "{way}\n{reply}");
        assert!(took >= Duration::from_secs(1) && took < AT_ONCE, "{way}: {took:?}");
        server.is_well().await;
    }
}

/// A script never got more than `limit` MiB, or was stopped when it did.
#[track_caller]
fn memory_was_bounded(what: &str, reply: &Reply, limit: u32) {
    if reply.status == 200 {
        let held: u32 = reply.returned();
        assert!(held <= limit, "{what}: held {held} MiB\n{reply}");
    } else {
        let error = reply.failure().value;
        assert!(error.starts_with("MemoryError"), "{what}\n{reply}");
    }
}

#[tokio::test]
async fn memory_of_every_kind_is_bounded() {
    let server = Server::with(&[("EXECUTOR_MEMORY_MB", "128"), ("EXECUTOR_PRELOAD", "")]);
    for way in ["anonymous", "shared", "memfd", "stdin", "locked", "pipes", "files"] {
        let inputs = json!({ "way": way, "limit": 400 });
        let reply = run(&server, program!("mem_block"), inputs).await;
        memory_was_bounded(way, &reply, 128);
        server.is_well().await;
    }
}

#[tokio::test]
async fn shared_memory_that_no_process_looks_at_is_bounded() {
    let server = Server::with(&[("EXECUTOR_MEMORY_MB", "128"), ("EXECUTOR_PRELOAD", "")]);
    let reply = run(&server, program!("mem_block"), json!({ "way": "hidden", "limit": 400 })).await;
    memory_was_bounded("hidden", &reply, 128);
    server.is_well().await;
}

#[tokio::test]
async fn page_tables_are_bounded() {
    let server = Server::with(&[("EXECUTOR_MEMORY_MB", "128"), ("EXECUTOR_PRELOAD", "")]);
    let reply = run(&server, program!("mem_block"), json!({ "way": "tables", "limit": 400 })).await;
    memory_was_bounded("tables", &reply, 128);
    server.is_well().await;
}

#[tokio::test]
async fn buffers_of_sockets_are_bounded() {
    let server = Server::with(&[("EXECUTOR_MEMORY_MB", "128"), ("EXECUTOR_PRELOAD", "")]);
    let reply = run(&server, program!("mem_block"), json!({ "way": "sockets", "limit": 400 })).await;
    memory_was_bounded("sockets of one process", &reply, 128);
    let reply = run(&server, program!("mem_buffers"), json!({ "children": 10 })).await;
    memory_was_bounded("sockets of ten processes", &reply, 128);
    server.is_well().await;
}

#[tokio::test]
async fn memory_beyond_the_limit_is_told_as_such() {
    let server = Server::with(&[("EXECUTOR_MEMORY_MB", "128"), ("EXECUTOR_PRELOAD", "")]);
    let script = "
        def main():
            print('before')
            kept = []
            while True:
                kept.append(bytearray(1 << 20))
                kept[-1][::4096] = b'x' * 256
    ";
    let reply = server.execute(script).await;
    let error = reply.fails_with("MemoryError: ");
    assert!(error.len() > "MemoryError: ".len(), "{reply}");
    assert_eq!(reply.failure().stdout, "before\n", "{reply}");
}

#[tokio::test]
async fn memory_of_all_children_counts_together() {
    let server = Server::with(&[("EXECUTOR_MEMORY_MB", "128"), ("EXECUTOR_PRELOAD", "")]);
    for (children, megabytes) in [(30, 20), (10, 60)] {
        let inputs = json!({ "children": children, "megabytes": megabytes });
        let reply = run(&server, program!("mem_children"), inputs).await;
        memory_was_bounded("children", &reply, 128);
        server.is_well().await;
    }
}

#[tokio::test]
async fn processes_are_counted() {
    let server = Server::with(&[("EXECUTOR_MAX_PROCESSES", "20"), ("EXECUTOR_PRELOAD", "")]);
    for (way, least) in [("processes", 10), ("threads", 10)] {
        let name = unique();
        let inputs = json!({ "way": way, "wanted": 300, "announce": name });
        let reply = run(&server, program!("fork_count"), inputs).await;
        let made: u32 = reply.returned();
        assert!((least..=20).contains(&made), "{way}: {made}\n{reply}");
        until("all are gone", || named(&name).is_empty().then_some(())).await;
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_hundred_and_twenty_processes_are_allowed_by_default() {
    let inputs = json!({ "way": "processes", "wanted": 300, "announce": unique() });
    let made: u32 = run(Server::shared(), program!("fork_count"), inputs).await.returned();
    assert!((110..=128).contains(&made), "{made}");
}

#[tokio::test]
async fn a_fork_bomb_stays_small_and_hurts_no_other_script() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_MAX_PROCESSES", "20")]);
    let name = unique();
    let fields = json!({ "inputs": { "announce": name }, "timeout": 3 });
    let bomb = server.execute_with(program!("fork_bomb"), fields);
    let neighbour = async {
        until("the bomb has gone off", || (named(&name).len() > 10).then_some(())).await;
        let mut most = 0;
        let inputs = json!({ "way": "processes", "wanted": 8, "announce": unique() });
        for _ in 0..5 {
            most = most.max(named(&name).len());
            let reply = run(&server, program!("fork_count"), inputs.clone()).await;
            reply.succeeds("8", "");
        }
        most
    };
    let (bomb, most) = tokio::join!(bomb, neighbour);
    bomb.fails("TimeoutError: script exceeded its time limit of 3 s", "");
    assert!(most <= 20, "{most} processes at the same time");
    until("all are gone", || named(&name).is_empty().then_some(())).await;
    server.is_well().await;
}

#[tokio::test]
async fn limits_that_a_script_lowers_hurt_itself_only() {
    let server = Server::shared();
    for name in [
        "RLIMIT_NOFILE",
        "RLIMIT_FSIZE",
        "RLIMIT_AS",
        "RLIMIT_DATA",
        "RLIMIT_STACK",
        "RLIMIT_NPROC",
        "RLIMIT_CPU",
        "RLIMIT_CORE",
        "RLIMIT_SIGPENDING",
    ] {
        for value in [0, 1, 65536] {
            let inputs = json!({ "name": name, "value": value });
            let fields = json!({ "inputs": inputs, "timeout": 5 });
            let reply = server.execute_with(program!("limits_lowered"), fields).await;
            if reply.status == 200 {
                reply.succeeds(r#""real""#, "");
            } else {
                reply.failure();
            }
            server.is_well().await;
        }
    }
}

#[tokio::test]
async fn the_scratch_space_is_bounded() {
    let server = Server::shared();
    for way in ["bytes", "allocate"] {
        let inputs = json!({ "limit": 256 << 20, "way": way });
        let reply = run(server, program!("disk_fill"), inputs).await;
        let (bytes, _): (u64, u64) = reply.returned();
        assert!(bytes <= 64 << 20, "{way}: {bytes} bytes\n{reply}");
        assert!(way == "allocate" || bytes >= 60 << 20, "{way}: {bytes} bytes\n{reply}");
        server.is_well().await;
    }
}

#[tokio::test]
async fn the_number_of_files_is_bounded() {
    let server = Server::shared();
    let inputs = json!({ "limit": 40_000, "way": "count" });
    let reply = run(server, program!("disk_fill"), inputs).await;
    let (_, files): (u64, u64) = reply.returned();
    assert!((16_000..=16_384).contains(&files), "{files} files\n{reply}");
    server.is_well().await;
}

#[tokio::test]
async fn the_bounds_of_the_scratch_space_are_the_operators() {
    let server = Server::with(&[("EXECUTOR_SCRATCH_MB", "2"), ("EXECUTOR_PRELOAD", "")]);
    let inputs = json!({ "limit": 256 << 20, "way": "bytes" });
    let (bytes, _): (u64, u64) = run(&server, program!("disk_fill"), inputs).await.returned();
    assert!(((1 << 20)..=2 << 20).contains(&bytes), "{bytes} bytes");
}

#[tokio::test]
async fn open_files_are_counted() {
    let server = Server::shared();
    for way in ["file", "pipe", "dup"] {
        let inputs = json!({ "way": way, "wanted": 70_000 });
        let made: u32 = run(server, program!("files_open"), inputs).await.returned();
        assert!((900..=1024).contains(&made), "{way}: {made}");
        server.is_well().await;
    }
}

//! P5: bounded memory, processes, scratch space and open files, against the default limits.

use serde_json::json;

use super::judge::Judge;
use super::program;
use super::reply::Reply;
use super::scenario::{Drive, Promise, Scenario, Step, attack, step, twin};

const P: Promise = Promise::Bounds;

/// The default limits.
pub const MEMORY_MB: u64 = 512;
pub const PROCESSES: u64 = 128;
pub const SCRATCH_BYTES: u64 = 64 << 20;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = memory();
    all.extend(counts());
    let mut all: Vec<Scenario> = all.into_iter().map(|scenario| scenario.destructive().alone()).collect();
    all.push(twin(
        P,
        "memory-twin",
        "holds 200 MB for a moment",
        Drive::Scripts(|_| {
            vec![step("def main():\n    return len(bytearray(200 << 20))").judge(Judge::Returns(json!(200 << 20)))]
        }),
    ));
    all
}

fn memory() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "mem-block",
            "fills one block of three times the memory limit",
            Drive::Scripts(|_| {
                let block = "def main():\n    return len(bytearray(b'x') * (1536 << 20)) >> 20";
                vec![step(block).judge(Judge::Ended(&["MemoryError", "memory", "killed"]))]
            }),
        ),
        attack(
            P,
            "mem-kinds",
            "holds memory in maps, memfd, standard input, locked pages, pipes, sockets, files and System V objects",
            Drive::Scripts(|_| {
                let of_its_own = ["anonymous", "shared", "memfd", "stdin", "locked", "files", "hidden"];
                let of_the_kernel = ["pipes", "sockets", "segments", "messages"];
                of_its_own.into_iter().chain(of_the_kernel).map(held).collect()
            }),
        ),
        attack(P, "mem-tables", "holds page tables and no pages", Drive::Scripts(|_| vec![held("tables")])),
        attack(
            P,
            "mem-children",
            "holds 40 MB in each of 30 children at the same time",
            Drive::Scripts(|_| {
                let inputs = json!({ "children": 30, "megabytes": 40 });
                vec![step(program!("mem_children")).inputs(inputs).judge(Judge::AtMost(MEMORY_MB))]
            }),
        ),
        attack(
            P,
            "mem-twin",
            "holds 350 MB, and as much in a child that was given the same",
            Drive::Scripts(|_| {
                vec![step(program!("mem_twin")).inputs(json!({ "megabytes": 350 })).judge(Judge::AtMost(MEMORY_MB))]
            }),
        ),
        attack(
            P,
            "mem-buffers",
            "fills the buffers of sockets in ten processes",
            Drive::Scripts(|_| {
                vec![step(program!("mem_buffers")).inputs(json!({ "children": 10 })).judge(Judge::AtMost(MEMORY_MB))]
            }),
        ),
        attack(
            P,
            "mem-recursion",
            "recurses without a limit, in Python, in C and in threads",
            Drive::Scripts(|_| {
                let recursion = |way| {
                    let judge = Judge::ReturnsOrEnds(json!("real"));
                    step(program!("mem_recursion")).inputs(json!({ "way": way })).timeout(4.0).judge(judge)
                };
                ["plain", "deep_in_c", "unlimited", "callbacks", "in_threads"].map(recursion).to_vec()
            }),
        ),
        attack(
            P,
            "mem-mappings",
            "makes 65,000 mappings in each of 125 processes",
            Drive::Scripts(|_| vec![in_the_kernel("vmas")]),
        ),
        attack(
            P,
            "mem-locks",
            "makes 100,000 record locks in each of 125 processes",
            Drive::Scripts(|_| vec![in_the_kernel("locks")]),
        ),
        attack(
            P,
            "mem-kernel",
            "makes the kernel hold watches, timers, signals, descriptors, tables and pipes",
            Drive::Scripts(|_| {
                let ways = ["epolls", "timers", "signals", "under_way", "eventfds", "tables", "pipes"];
                ways.map(in_the_kernel).to_vec()
            }),
        ),
    ]
}

fn held(way: &str) -> Step {
    let inputs = json!({ "way": way, "limit": 3 * MEMORY_MB });
    step(program!("mem_block")).inputs(inputs).judge(Judge::AtMost(MEMORY_MB))
}

fn in_the_kernel(way: &str) -> Step {
    // These cost little each, so that it takes all processes to hold much; the others would only take longer.
    let many = ["vmas", "locks", "pipes"].contains(&way);
    let children = if many { PROCESSES - 3 } else { 12 };
    // Locks are counted as more than they are, so that they are found while they are few.
    let limit = if way == "locks" { MEMORY_MB / 4 } else { MEMORY_MB };
    let inputs = json!({ "way": way, "children": children, "limit": limit << 20, "seconds": 1.0 });
    step(program!("mem_kernel")).inputs(inputs).timeout(if many { 28.0 } else { 6.0 }).judge(Judge::RefusedOrEnded)
}

fn counts() -> Vec<Scenario> {
    vec![
        attack(P, "fork-count", "forks 300 children that wait", Drive::Scripts(|_| vec![many("processes")])),
        attack(P, "thread-count", "starts 300 threads that wait", Drive::Scripts(|_| vec![many("threads")])),
        attack(
            P,
            "fork-bomb",
            "multiplies without end while another script runs",
            Drive::Together(|_| {
                let victim = step(program!("proc_victim")).inputs(json!({ "announce": "victim", "seconds": 4 }));
                let bomb = step(program!("fork_bomb")).inputs(json!({ "announce": "bomb" })).timeout(2.0);
                [victim.judge(Judge::Prints(json!("survived"), "survived\n")), bomb.judge(Judge::Ended(&[]))]
            }),
        ),
        attack(
            P,
            "disk-fill",
            "writes a file of four times the scratch limit, or allocates it",
            Drive::Scripts(|_| {
                let fill = |way| {
                    let inputs = json!({ "way": way, "limit": 4 * SCRATCH_BYTES });
                    step(program!("disk_fill")).inputs(inputs).judge(Judge::By(stayed_small))
                };
                ["bytes", "allocate"].map(fill).to_vec()
            }),
        ),
        attack(
            P,
            "disk-count",
            "makes 40,000 files",
            Drive::Scripts(|_| {
                let inputs = json!({ "way": "count", "limit": 40_000 });
                vec![step(program!("disk_fill")).inputs(inputs).judge(Judge::By(stayed_small))]
            }),
        ),
        attack(
            P,
            "files-open",
            "opens 70,000 descriptors of three kinds",
            Drive::Scripts(|_| {
                let open = |way| {
                    let inputs = json!({ "way": way, "wanted": 70_000 });
                    step(program!("files_open")).inputs(inputs).judge(Judge::AtMost(10_000))
                };
                ["file", "pipe", "dup"].map(open).to_vec()
            }),
        ),
        attack(P, "limits-raised", "raises its own limits", Drive::Scripts(|_| vec![step(program!("kernel_limits"))])),
        attack(P, "limits-lowered", "lowers each of its limits to nothing", Drive::Scripts(|_| lowered())),
    ]
}

fn many(way: &str) -> Step {
    let inputs = json!({ "way": way, "wanted": 300, "announce": "many" });
    step(program!("fork_count")).inputs(inputs).judge(Judge::AtMost(PROCESSES))
}

fn stayed_small(reply: &Reply) -> Result<(), String> {
    let Some(result) = reply.result() else { return Ok(()) };
    let (bytes, files) = (result[0].as_u64().unwrap_or(u64::MAX), result[1].as_u64().unwrap_or(u64::MAX));
    if bytes <= SCRATCH_BYTES + SCRATCH_BYTES / 4 && files <= 20_000 {
        return Ok(());
    }
    Err(format!("{bytes} bytes and {files} files"))
}

fn lowered() -> Vec<Step> {
    let names = ["NOFILE", "FSIZE", "AS", "DATA", "STACK", "NPROC", "CPU", "SIGPENDING"];
    let lower = |name: &&str| {
        let inputs = json!({ "name": format!("RLIMIT_{name}"), "value": 0 });
        let judge = Judge::ReturnsOrEnds(json!("real"));
        step(program!("limits_lowered")).inputs(inputs).timeout(3.0).judge(judge)
    };
    names.iter().map(lower).collect()
}

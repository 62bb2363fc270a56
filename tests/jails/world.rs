//! Files, processes and identity in the jails, and how they end.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::jail::jail;
use crate::support::process::Entry;
use crate::support::{Owned, PATIENCE, until};
use crate::{python, run};

/// Prints what a process can tell of the world that it is in.
const LOOK: &str = r#"
import json, os, resource

def may_write(directory):
    name = os.path.join(directory, f"jail-test-{os.getpid()}")
    try:
        open(name, "x").close()
        os.unlink(name)
        return True
    except OSError:
        return False

status = dict(line.split() for line in open("/proc/self/status") if len(line.split()) == 2)
places = ["/", "/etc", "/usr", "/var/tmp", "/home", "/run", "/dev", "/dev/shm", "/proc", "/proc/sys/kernel", "/sys", "/tmp"]
print(json.dumps({
    "ids": [os.getresuid(), os.getresgid(), os.getgroups()],
    "capabilities": sorted({status[name + ":"] for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]}),
    "no_new_privs": status["NoNewPrivs:"],
    "writable": [place for place in places if may_write(place)],
    "core_pattern": os.access("/proc/sys/kernel/core_pattern", os.W_OK),
    "dev": sorted(os.listdir("/dev")),
    "sys": len(os.listdir("/sys")) > 0,
    "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
    "pid": os.getpid(),
    "tmp": [name for name in os.listdir("/tmp") if not os.path.ismount("/tmp/" + name)],
    "space": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize >> 20,
    "limits": [resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_NPROC)],
    "keys": sorted(name for name in os.environ if name.startswith("AWS_")),
}))
"#;

fn look(kind: &str) -> Value {
    let said = python(kind, &["-c", LOOK]);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error} in {said}"))
}

#[track_caller]
fn has(seen: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(seen[name], *value, "{name} of {seen}");
    }
}

const NONE: &str = "0000000000000000";
const STREAMS: [&str; 4] = ["fd", "stderr", "stdin", "stdout"];
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

fn dev(more: &[&str]) -> Value {
    let mut names = [&STREAMS[..], &DEVICES, more].concat();
    names.sort_unstable();
    json!(names)
}

#[test]
fn a_user_is_ordinary() {
    let seen = look("user");
    has(&seen, &json!({ "ids": [[1234, 1234, 1234], [1234, 1234, 1234], []], "no_new_privs": "0", "keys": [] }));
}

#[test]
fn a_container_is_a_world_of_its_own() {
    let seen = look("container");
    has(
        &seen,
        &json!({
            "ids": [[1234, 1234, 1234], [1234, 1234, 1234], []],
            "capabilities": [NONE], "no_new_privs": "0", "core_pattern": false,
            "writable": ["/dev/shm", "/tmp"], "tmp": [], "space": 1024,
            "dev": dev(&["shm"]), "sys": true, "processes": 1, "pid": 1, "keys": [],
        }),
    );
}

#[test]
fn a_containers_root_has_no_power() {
    let seen = look("container-root");
    has(
        &seen,
        &json!({
            "ids": [[0, 0, 0], [0, 0, 0], []],
            "capabilities": [NONE], "no_new_privs": "0", "core_pattern": false,
            // Root owns the directory of devices, also without capabilities.
            "writable": ["/dev", "/dev/shm", "/tmp"], "tmp": [], "space": 1024,
            "dev": dev(&["shm"]), "sys": true, "processes": 1, "pid": 1, "keys": [],
        }),
    );
}

#[test]
fn lambda_has_little_more_than_tmp() {
    let seen = look("lambda");
    has(
        &seen,
        &json!({
            "ids": [[993, 993, 993], [990, 990, 990], []],
            "capabilities": [NONE], "no_new_privs": "1", "core_pattern": false,
            "writable": ["/tmp"], "tmp": [], "space": 512,
            "dev": dev(&[]), "sys": false, "processes": 2, "limits": [[1024, 1024], [1024, 1024]],
            "keys": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        }),
    );
}

#[test]
fn a_file_in_tmp_can_be_executed_and_no_device_is_missing() {
    let script =
        "printf '#!/bin/sh\nexit 5' >/tmp/run && chmod +x /tmp/run && head -c 1 /dev/urandom >/dev/null && /tmp/run";
    for kind in ["container", "container-root", "lambda"] {
        let output = run(kind, &["sh", "-c", script]);
        assert_eq!(output.status.code(), Some(5), "{kind}: {output:?}");
    }
}

#[test]
fn a_signal_reaches_the_command_and_its_status_comes_back() {
    for kind in ["user", "container", "container-root", "lambda"] {
        let mut jailed = start(kind, "trap 'exit 9' TERM; echo ready >&2; while :; do sleep 0.1; done");
        jailed.1.recv_timeout(PATIENCE).expect("the command starts");
        jailed.0.signal(Signal::TERM);
        assert_eq!(jailed.0.wait(PATIENCE).code(), Some(9), "{kind}");
    }
}

#[test]
fn a_killed_command_ends_the_jail_as_in_a_shell() {
    for kind in ["container", "lambda"] {
        // The first process of a namespace is safe from itself, so the shell has a child do it.
        let output = run(kind, &["sh", "-c", "sh -c 'kill -KILL $$'; exit $?"]);
        assert_eq!(output.status.code(), Some(128 + 9), "{kind}: {output:?}");
    }
}

#[tokio::test]
async fn nothing_outlives_a_killed_jail() {
    for kind in ["container", "lambda"] {
        let (jailed, ready) = start(kind, "setsid sleep 1000 & echo ready >&2; wait");
        ready.recv_timeout(PATIENCE).expect("the command starts");
        let found = until("the command's child", || {
            let below = jailed.descendants();
            below.iter().any(|entry| entry.command.contains("sleep 1000")).then_some(below)
        });
        let below: Vec<_> = found.await.iter().filter_map(Entry::watch).collect();
        jailed.signal(Signal::KILL);
        assert!(below.iter().all(|process| process.ends_within(Duration::from_secs(10))), "{kind}");
    }
}

/// A shell in a jail, and news of each line that it writes.
fn start(kind: &str, script: &str) -> (Owned, std::sync::mpsc::Receiver<()>) {
    let words = jail(kind);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["sh", "-c", script]);
    let (heard, ready) = std::sync::mpsc::channel();
    let process = Owned::spawn(command, move |_| {
        let _ = heard.send(());
    });
    (process, ready)
}

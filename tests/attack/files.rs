//! P2: no files but the read-only runtime and an empty scratch directory of its own.

use serde_json::{Value, json};

use super::bench::{Bench, unique};
use super::judge::Judge;
use super::program;
use super::scenario::{Drive, Promise, Scenario, Step, attack, step, twin};

const P: Promise = Promise::Files;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = reading();
    all.extend(writing());
    all.extend(scratch());
    all
}

fn reading() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "fs-read-shadow",
            "reads password files, keys, histories, credentials, sockets and kernel files",
            Drive::Scripts(|_| vec![step(program!("fs_read")).bare()]),
        ),
        attack(
            P,
            "fs-service-files",
            "opens and lists the service's binary, source, configuration and working directory",
            Drive::Scripts(|bench| vec![step(program!("fs_service_files")).bare().inputs(service_files(bench))]),
        ),
        attack(
            P,
            "fs-magic-links",
            "follows root, cwd, exe, fd and map_files of /proc out of its root",
            Drive::Scripts(|_| vec![step(program!("fs_magic_links"))]),
        ),
        attack(
            P,
            "fs-escape",
            "chroot, mounts, pivot_root, open_by_handle_at, and fifty times `..`",
            Drive::Scripts(|_| vec![step(program!("fs_escape"))]),
        )
        .destructive(),
        attack(
            P,
            "fs-exec",
            "executes every program that the machine might have",
            Drive::Scripts(|_| vec![step(program!("fs_exec")).bare()]),
        ),
        attack(
            P,
            "fs-memfd-exec",
            "executes programs from memfd, O_TMPFILE, /dev/shm and set-id files",
            Drive::Scripts(|_| vec![step(program!("fs_memfd_exec"))]),
        ),
    ]
}

fn writing() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "fs-write-system",
            "creates, changes and removes files in every directory of the system",
            Drive::Scripts(|_| vec![step(program!("fs_write_system")).bare()]),
        )
        .destructive(),
        attack(
            P,
            "fs-patch-runtime",
            "opens files of the Python runtime for writing and adds modules to it",
            Drive::Scripts(|_| vec![step(program!("fs_patch_runtime"))]),
        )
        .destructive(),
        attack(
            P,
            "fs-devices",
            "makes device nodes and opens memory, disks, kvm, fuse, tun and terminals",
            Drive::Scripts(|_| vec![step(program!("fs_devices"))]),
        ),
        twin(
            P,
            "fs-devices-twin",
            "reads from /dev/urandom and writes to /dev/null",
            Drive::Scripts(|_| {
                vec![step(program!("fs_devices_twin")).inputs(json!({ "all": false })).judge(Judge::Returns(json!(16)))]
            }),
        ),
    ]
}

fn scratch() -> Vec<Scenario> {
    vec![
        twin(
            P,
            "fs-scratch-twin",
            "writes, reads, renames and removes files",
            Drive::Scripts(|bench| {
                let places: &[&str] = if bench.host.namespaces() { &[".", "/tmp", "/dev/shm"] } else { &["."] };
                let inputs = json!({ "places": places });
                vec![step(program!("fs_scratch_twin")).inputs(inputs).judge(Judge::Returns(json!([])))]
            }),
        ),
        twin(
            P,
            "fs-map-twin",
            "locks and maps a file",
            Drive::Scripts(|_| vec![step(program!("fs_map_twin")).judge(Judge::Returns(json!("ärger")))]),
        )
        .not_sealed("sealed: files are kept in the script's memory, where the kernel does not know them"),
        twin(
            P,
            "fs-request-files-twin",
            "reads the files that its request brings",
            Drive::Scripts(|_| {
                let files = json!({ "data/a.txt": { "text": "ä" }, "b.bin": { "base64": "/wA=" } });
                let program = "def main():\n    return [open('data/a.txt').read(), open('b.bin', 'rb').read().hex()]";
                vec![step(program).field("files", files).judge(Judge::Returns(json!(["ä", "ff00"])))]
            }),
        ),
        attack(
            P,
            "fs-scratch-empty",
            "lists every writable place before it writes anything",
            Drive::Scripts(|bench| vec![empty(bench)]),
        ),
        attack(
            P,
            "fs-scratch-gone",
            "one script leaves files, the next looks for them",
            Drive::Scripts(|bench| (0..4).flat_map(|_| [leave(bench), empty(bench)]).collect()),
        ),
        attack(
            P,
            "fs-sibling",
            "two scripts at the same time look for each other's files",
            Drive::Together(|bench| {
                ["first", "second"].map(|mark| {
                    let mut inputs = places(bench);
                    for (name, value) in [("mark", json!(mark)), ("announce", json!(mark)), ("seconds", json!(2))] {
                        inputs[name] = value;
                    }
                    inputs["report"] = json!(true);
                    step(program!("fs_sibling")).bare().inputs(inputs)
                })
            }),
        ),
    ]
}

/// Leaves a file wherever it can.
fn leave(bench: &Bench) -> Step {
    let mut inputs = places(bench);
    inputs["name"] = json!(unique());
    step(program!("fs_scratch_leave")).inputs(inputs).judge(Judge::AnyAnswer)
}

/// Nothing stays on a machine that confines nothing.
fn places(bench: &Bench) -> Value {
    if bench.options.unconfined { json!({ "places": ["."] }) } else { json!({}) }
}

/// Every place that can be written to is empty.
pub fn empty(bench: &Bench) -> Step {
    step(program!("fs_scratch_empty")).inputs(places(bench))
}

/// Where services and their files usually are. Landlock hides what is in a file, not that it exists, so without a root
/// of its own a script is only kept from opening.
fn service_files(bench: &Bench) -> Value {
    let looks: &[&str] = if bench.host.namespaces() { &["stat", "list", "open", "path"] } else { &["list", "open"] };
    json!({
        "looks": looks,
        "seconds": if bench.options.unconfined { 1 } else { 8 },
        "names": ["py-executor-server", "py-executor-lambda", "Cargo.toml", "Dockerfile", ".env", "template.yaml"],
        "paths": [
            "/app", "/srv", "/var/task", "/var/task/bootstrap", "/var/runtime", "/usr/local/bin/py-executor-server",
            "/usr/bin/py-executor-server", "/opt/py-executor", "/workspace", "/home", "/root", "/etc/systemd",
            "/boot", "/var/log", "/var/lib",
        ],
    })
}

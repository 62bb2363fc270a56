//! Every attack against a sandbox without its locks, and against sandboxes in which one of them is on again.

use std::collections::BTreeSet;
use std::path::Path;

use py_executor::sandbox::Mechanism;
use rustix::process::Signal;
use serde_json::json;

use crate::attack::{ALL, Attack, Scene, Trace, outside};
use crate::health::Health;
use crate::service::{ROOT, service};
use crate::support::server::AT_ONCE;
use crate::support::{Reply, Server, process, unique};

/// What becomes of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Succeeds,
    HeldBy(Mechanism),
}

/// A sandbox without some of its mechanisms, attacked.
struct Mutation {
    attack: &'static Attack,
    without: Vec<Mechanism>,
    expected: Expected,
}

/// Without all locks; and without all but one, which holds.
fn mutations(attack: &'static Attack) -> Vec<Mutation> {
    let but = |kept: &Mechanism| attack.locks.iter().copied().filter(|lock| lock != kept).collect();
    let held = |lock: &Mechanism| Mutation { attack, without: but(lock), expected: Expected::HeldBy(*lock) };
    let all = Mutation { attack, without: attack.locks.to_vec(), expected: Expected::Succeeds };
    std::iter::once(all).chain(attack.locks.iter().map(held)).collect()
}

impl Mutation {
    async fn run(&self) {
        let server = Server::launch(service(self.attack.trace.host(), "relaxed", &self.without));
        let health = Health::of(&server).await;
        let words = format!("{} without {:?}: {health}", self.attack.name, self.without);
        match self.expected {
            Expected::Succeeds => {
                assert!(self.succeeds(&server, 0.3).await, "it is held, but by what? {words}");
                let is_kept = self.attack.breaks.is_some_and(|promise| health.is_kept(promise));
                assert!(!is_kept, "{:?} is said to be kept: {words}", self.attack.breaks);
            }
            Expected::HeldBy(lock) => {
                assert!(health.claims(lock), "{lock} is not in force: {words}");
                assert!(!self.succeeds(&server, 25.0).await, "{lock} does not hold it: {words}");
            }
        }
        server.is_well().await;
    }

    async fn succeeds(&self, server: &Server, seconds: f64) -> bool {
        let scene = Scene { service: server.process().id(), name: unique(), seconds };
        let reply = server.execute_with(self.attack.program, json!({ "inputs": (self.attack.inputs)(&scene) })).await;
        is_answer(&reply) && self.attack.trace.is_left(&reply, &scene)
    }
}

/// What a script is told that was ended for an excess, or asked a sealed host for a file or a process.
const REFUSALS: [&str; 4] =
    ["memory limit", "scratch space", "processes and threads", "not available under this host's sandbox"];

/// Whether the script came to its end. One that did not was refused something, and nothing else went wrong.
fn is_answer(reply: &Reply) -> bool {
    let is_answer = reply.status == 200;
    assert!(is_answer || REFUSALS.iter().any(|words| reply.body.contains(words)), "{reply}");
    is_answer
}

impl Trace {
    /// Services sweep the segments of all processes of their user: this one is to be the only one of its.
    fn host(self) -> &'static str {
        if matches!(self, Self::Segment) { ROOT } else { "user" }
    }

    /// Whether an attack has left what shows its success; takes it away.
    fn is_left(self, reply: &Reply, scene: &Scene) -> bool {
        match self {
            Self::Result => reply.returned(),
            Self::File => remove_with_directory(&reply.returned::<String>()),
            Self::Directory => std::fs::remove_dir(outside(&scene.name)).is_ok(),
            Self::Process => end_all_named(&scene.name),
            Self::Segment => remove_segment(reply.returned()),
        }
    }
}

fn remove_with_directory(path: &str) -> bool {
    let is_left = std::fs::remove_file(path).is_ok();
    if let Some(directory) = Path::new(path).parent().filter(|_| is_left) {
        std::fs::remove_dir(directory).expect("there was nothing else in it");
    }
    is_left
}

/// A namespace ends with its worker, for which the answer does not wait.
fn end_all_named(name: &str) -> bool {
    let found: Vec<_> = process::named(name).iter().filter_map(process::Entry::watch).collect();
    let is_left = found.iter().any(|process| !process.ends_within(AT_ONCE));
    for process in found {
        process.signal(Signal::KILL);
    }
    is_left
}

/// Its number is its own: it is as large as none else, and a user of these tests only has made it.
fn remove_segment(id: i32) -> bool {
    let list = std::fs::read_to_string("/proc/sysvipc/shm").expect("the kernel has IPC");
    let is_it = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.get(1) == Some(&id.to_string().as_str()) && columns.get(3) == Some(&"4096")
    };
    let is_there = list.lines().any(is_it);
    if is_there {
        let removed = std::process::Command::new("ipcrm").args(["--shmem-id", &id.to_string()]).status();
        assert!(removed.is_ok_and(|status| status.success()), "segment {id} stays");
    }
    is_there
}

async fn proven(name: &str) {
    let attack = ALL.iter().find(|attack| attack.name == name).expect("an attack");
    for mutation in mutations(attack) {
        mutation.run().await;
    }
}

macro_rules! proven {
    ($($name:ident)*) => {
        const PROVEN: &[&str] = &[$(stringify!($name)),*];
        $(#[tokio::test] async fn $name() { proven(stringify!($name)).await; })*
    };
}

proven! {
    machine_file others_listed others_signalled others_environment others_memory environment descriptors many_files
    many_processes large_block many_blocks hidden_memory full_scratch socket_made root_changed left_file left_directory left_process
    left_memory
}

#[test]
fn every_attack_is_made() {
    assert_eq!(ALL.map(|attack| attack.name), PROVEN);
}

#[test]
fn every_mechanism_holds_an_attack() {
    let needed: BTreeSet<Mechanism> = ALL.iter().flat_map(|attack| attack.locks).copied().collect();
    // A machine whose controllers belong to the first version of cgroups has none: tests/kernels boots one that has.
    let elsewhere = BTreeSet::from([Mechanism::Cgroup]);
    assert_eq!(needed, &BTreeSet::from(Mechanism::ALL) - &elsewhere);
}

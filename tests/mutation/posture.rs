//! A mechanism is taken away: what strict and relaxed do then, and what they say.

use py_executor::sandbox::Mechanism::{
    self, Capabilities, Cgroup, Descriptors, Dumpable, Environment, Landlock, Namespaces, Nproc, Rlimits, Root,
    Scratch, Seal, Seccomp, Sweep, Watchdog,
};
use py_executor::sandbox::Promise::{
    self, Bounded, NoFiles, NoNetwork, NoOtherProcesses, NoSecrets, NothingLeftBehind,
};
use py_executor::sandbox::{Mechanisms, remove_with_dependents, select_mechanisms};

use crate::health::Health;
use crate::service::service;
use crate::support::Server;

/// What comes of taking one mechanism away.
pub enum Consequence {
    /// Nothing keeps these promises any more.
    Breaks(&'static [Promise]),
    /// These are kept all the same, by what else there is.
    KeptBy(&'static [(Promise, Mechanism)]),
}

use Consequence::{Breaks, KeptBy};

const CONSEQUENCES: [(Mechanism, Consequence); 15] = [
    (Namespaces, KeptBy(&[(NoFiles, Landlock), (NoOtherProcesses, Landlock), (NothingLeftBehind, Sweep)])),
    (Root, KeptBy(&[(NoFiles, Landlock)])),
    (Scratch, KeptBy(&[(NoFiles, Landlock), (Bounded, Watchdog), (NothingLeftBehind, Sweep)])),
    (Descriptors, Breaks(&[NoSecrets])),
    (Environment, Breaks(&[NoSecrets])),
    (Rlimits, Breaks(&[Bounded])),
    (Nproc, KeptBy(&[(Bounded, Watchdog)])),
    (Capabilities, KeptBy(&[(NoFiles, Landlock)])),
    (Dumpable, Breaks(&[NoSecrets])),
    (Landlock, KeptBy(&[(NoFiles, Root), (NoFiles, Capabilities), (NoOtherProcesses, Namespaces)])),
    (Seccomp, KeptBy(&[(NoNetwork, Seal), (NoOtherProcesses, Namespaces), (Bounded, Seal)])),
    (Seal, KeptBy(&[(NoNetwork, Seccomp), (NoFiles, Root)])),
    (Sweep, KeptBy(&[(NothingLeftBehind, Namespaces), (NothingLeftBehind, Scratch)])),
    (Watchdog, Breaks(&[Bounded])),
    (Cgroup, KeptBy(&[(Bounded, Watchdog)])),
];

/// What the project's own rule says of a host that offers everything else.
fn broken_without(mechanism: Mechanism) -> Vec<Promise> {
    let mut offered = Mechanisms::from(Mechanism::ALL);
    remove_with_dependents(&mut offered, mechanism);
    let chosen = select_mechanisms(&offered, &Mechanisms::from([mechanism]));
    Promise::ALL.into_iter().filter(|promise| !promise.is_kept(&chosen)).collect()
}

impl Consequence {
    fn broken(&self) -> Vec<Promise> {
        match self {
            Breaks(promises) => promises.to_vec(),
            KeptBy(_) => Vec::new(),
        }
    }
}

#[test]
fn the_table_is_about_every_mechanism_and_agrees_with_the_rule() {
    assert_eq!(CONSEQUENCES.each_ref().map(|(mechanism, _)| *mechanism), Mechanism::ALL);
    for (mechanism, consequence) in &CONSEQUENCES {
        assert_eq!(consequence.broken(), broken_without(*mechanism), "{mechanism}");
    }
}

#[tokio::test]
async fn strict_starts_only_where_every_promise_is_kept() {
    for (mechanism, consequence) in &CONSEQUENCES {
        let command = service("user", "strict", &[*mechanism]);
        match consequence {
            Breaks(promises) => {
                let (status, words) = Server::refusal(command);
                assert_eq!(status.code(), Some(1), "{mechanism}: {words}");
                let reason = format!("{mechanism} is switched off by EXECUTOR_DISABLED_MECHANISMS");
                names_promises(&words, promises, &reason);
            }
            KeptBy(pairs) => {
                let server = Server::launch(command);
                keeps_every_promise(&server, &Health::of(&server).await, *mechanism, pairs).await;
            }
        }
    }
}

/// A refusal has a line for each of these promises, which says why it cannot be kept, and none for others.
#[track_caller]
pub fn names_promises(words: &str, promises: &[Promise], reason: &str) {
    for promise in Promise::ALL {
        let line = words.lines().find(|line| line.starts_with(promise.text()));
        let is_right =
            line.map_or(!promises.contains(&promise), |line| promises.contains(&promise) && line.contains(reason));
        assert!(is_right, "{promise:?}, {reason}: {words}");
    }
    assert!(words.contains("EXECUTOR_POLICY=relaxed"), "{words}");
}

/// A service without a mechanism says that it keeps every promise, and by what.
pub async fn keeps_every_promise(server: &Server, health: &Health, without: Mechanism, by: &[(Promise, Mechanism)]) {
    assert_eq!((health.status(), health.broken()), ("every promise is kept", Vec::new()), "{without}: {health}");
    assert!(server.log().text().contains(r#""message":"every promise is kept""#), "{}", server.log());
    assert!(!health.claims(without), "{without} is said to be in force: {health}");
    for (promise, mechanism) in by {
        assert!(health.is_served_by(*promise, *mechanism), "{promise:?} by {mechanism}, without {without}: {health}");
    }
    server.is_well().await;
}

#[tokio::test]
async fn relaxed_starts_and_says_what_is_not_kept() {
    for (mechanism, consequence) in &CONSEQUENCES {
        let server = Server::launch(service("user", "relaxed", &[*mechanism]));
        let health = Health::of(&server).await;
        match consequence {
            Breaks(promises) => admits(&server, &health, *mechanism, promises).await,
            KeptBy(pairs) => keeps_every_promise(&server, &health, *mechanism, pairs).await,
        }
    }
}

/// A service without a mechanism says of exactly these promises that they are not kept.
pub async fn admits(server: &Server, health: &Health, without: Mechanism, broken: &[Promise]) {
    assert_eq!((health.status(), health.broken()), ("not every promise is kept", broken.to_vec()), "{health}");
    assert!(server.log().text().contains(r#""message":"NOT every promise is kept""#), "{}", server.log());
    assert!(!health.claims(without), "{without} is said to be in force: {health}");
    server.is_well().await;
}

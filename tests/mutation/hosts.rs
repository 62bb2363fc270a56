//! Hosts that refuse a call, or say that it worked and do nothing (tests/jail/odd.rs): what the service makes of it.

use py_executor::sandbox::Mechanism::{
    self, Capabilities, Descriptors, Dumpable, Landlock, Namespaces, Nproc, Rlimits, Root, Scratch, Seal, Seccomp,
    Sweep,
};
use py_executor::sandbox::Promise::{
    self, Bounded, NoFiles, NoNetwork, NoOtherProcesses, NoSecrets, NothingLeftBehind,
};

use crate::health::Health;
use crate::posture::{admits, keeps_every_promise, names_promises};
use crate::service::service;
use crate::support::Server;

/// A host, and what is switched off there besides.
struct Case {
    host: &'static str,
    without: &'static [Mechanism],
    /// What cannot be had, and the step and the reason that the operator is told.
    missing: &'static [(Mechanism, &'static str)],
    /// The promises that cannot be kept.
    broken: &'static [Promise],
}

const fn case(
    host: &'static str,
    without: &'static [Mechanism],
    missing: &'static [(Mechanism, &'static str)],
    broken: &'static [Promise],
) -> Case {
    Case { host, without, missing, broken }
}

#[rustfmt::skip]
const REFUSED: [Case; 19] = [
    case("refuse-landlock", &[], &[(Landlock, "landlock_create_ruleset: this kernel does not offer it")], &[]),
    case("refuse-landlock-late", &[], &[(Landlock, "landlock_restrict_self: Operation not permitted")], &[]),
    case("refuse-landlock", &[Namespaces, Seal], &[(Landlock, "landlock_create_ruleset: this kernel does not offer it")],
        &[NoFiles, NoOtherProcesses, NothingLeftBehind]),
    case("refuse-seccomp", &[], &[(Seccomp, "seccomp SET_MODE_FILTER: Operation not permitted (os error 1)")], &[]),
    case("refuse-seccomp", &[Seal], &[(Seccomp, "seccomp SET_MODE_FILTER: Operation not permitted (os error 1)")], &[NoNetwork, Bounded]),
    case("refuse-limits", &[], &[(Rlimits, "setrlimit Stack 8388608: Operation not permitted (os error 1)")], &[Bounded]),
    case("refuse-limits", &[Seccomp, Rlimits], &[(Seal, "setrlimit Nproc 0: Operation not permitted (os error 1)")], &[NoNetwork, Bounded]),
    case("refuse-process-limit", &[], &[(Nproc, "setrlimit Nproc 128: Operation not permitted (os error 1)")], &[]),
    case("refuse-capset", &[], &[(Capabilities, "capset: Operation not permitted (os error 1)")], &[]),
    case("refuse-capset", &[Landlock, Seal], &[(Capabilities, "capset: Operation not permitted (os error 1)")], &[NoFiles]),
    case("refuse-no-new-privs", &[], &[(Landlock, "prctl PR_SET_NO_NEW_PRIVS"), (Seccomp, "prctl PR_SET_NO_NEW_PRIVS: Operation not permitted (os error 1)")], &[]),
    case("refuse-subreaper", &[], &[], &[]),
    case("refuse-subreaper", &[Namespaces], &[(Sweep, "prctl PR_SET_CHILD_SUBREAPER: Operation not permitted (os error 1)")], &[NothingLeftBehind]),
    case("refuse-namespaces", &[], &[(Namespaces, "unshare: Operation not permitted (os error 1)")], &[]),
    case("refuse-mount", &[], &[(Namespaces, "make mounts private: Operation not permitted (os error 1)")], &[]),
    case("refuse-pivot-root", &[], &[(Root, "pivot_root: Operation not permitted (os error 1)")], &[]),
    case("refuse-dumpable", &[], &[(Namespaces, "prctl PR_SET_DUMPABLE: Operation not permitted (os error 1)")], &[]),
    // The watchdog cannot do with the /proc that scripts see, so it gets the host's.
    case("refuse-fsmount", &[], &[(Namespaces, "fsmount proc: Operation not permitted (os error 1)")], &[]),
    case("unknown-fsopen", &[], &[(Namespaces, "fsopen proc: Function not implemented (os error 38)")], &[]),
];

/// What is found out only by trying to break it.
#[rustfmt::skip]
const FAKED: [Case; 17] = [
    case("fake-landlock", &[], &[(Landlock, "probe: a device can be asked for")], &[]),
    case("fake-landlock", &[Root], &[(Landlock, "probe: / can be opened"), (Sweep, "probe: a directory can be made in /var/tmp")], &[NothingLeftBehind]),
    case("fake-landlock", &[Namespaces, Seal], &[(Landlock, "probe: / can be opened")], &[NoFiles, NoOtherProcesses, NothingLeftBehind]),
    case("fake-seccomp", &[], &[(Seccomp, "probe: a call is let through")], &[]),
    case("fake-seccomp", &[Seal], &[(Seccomp, "probe: a call is let through")], &[NoNetwork, Bounded]),
    case("fake-limits", &[], &[(Rlimits, "probe: a hard limit can be raised")], &[Bounded]),
    case("fake-limits", &[Seccomp], &[(Seal, "open a file afterwards: it was opened"), (Rlimits, "probe: a hard limit can be raised")], &[NoNetwork, Bounded]),
    case("fake-process-limit", &[], &[(Nproc, "probe: more processes can be made than are allowed")], &[]),
    case("fake-capset", &[], &[(Capabilities, "probe: there are capabilities left")], &[]),
    case("fake-capset", &[Landlock, Seal], &[(Capabilities, "probe: there are capabilities left")], &[NoFiles]),
    case("fake-no-new-privs", &[], &[(Seccomp, "seccomp SET_MODE_FILTER: Permission denied (os error 13)")], &[]),
    case("fake-close-range", &[], &[(Descriptors, "probe: descriptor 3 is open")], &[NoSecrets]),
    case("fake-namespaces", &[], &[(Namespaces, "write /proc/self/uid_map: Operation not permitted (os error 1)")], &[]),
    case("fake-mount", &[], &[(Root, "/dev: null: No such file or directory"), (Scratch, "mkdir: Permission denied")], &[]),
    case("fake-pivot-root", &[], &[(Root, "probe: the runtime is not the root directory")], &[]),
    case("fake-subreaper", &[Namespaces], &[(Sweep, "prctl PR_SET_CHILD_SUBREAPER: it has no effect")], &[NothingLeftBehind]),
    case("fake-dumpable", &[], &[(Dumpable, "prctl PR_SET_DUMPABLE: it has no effect")], &[NoSecrets]),
];

impl Case {
    async fn strict(&self) {
        let command = service(self.host, "strict", self.without);
        if self.broken.is_empty() {
            self.says_what_is_missing(&Server::launch(command)).await;
            return;
        }
        let (status, words) = Server::refusal(command);
        assert_eq!(status.code(), Some(1), "{}: {words}", self.host);
        names_promises(&words, self.broken, "");
        let serves = |mechanism: Mechanism| self.broken.iter().any(|promise| promise.explain(mechanism).is_some());
        for (mechanism, reason) in self.missing.iter().filter(|(mechanism, _)| serves(*mechanism)) {
            assert!(words.contains(&format!("{mechanism} cannot be had: {reason}")), "{}: {words}", self.host);
        }
    }

    async fn relaxed(&self) {
        self.says_what_is_missing(&Server::launch(service(self.host, "relaxed", self.without))).await;
    }

    async fn says_what_is_missing(&self, server: &Server) {
        let health = Health::of(server).await;
        let missing = health.missing();
        for (mechanism, reason) in self.missing {
            let said = missing.iter().any(|(of, words)| of == mechanism && words.starts_with(reason));
            assert!(said, "{}: {mechanism}: {reason}: {health}", self.host);
            match self.broken {
                [] => keeps_every_promise(server, &health, *mechanism, &[]).await,
                broken => admits(server, &health, *mechanism, broken).await,
            }
        }
        assert_eq!(health.broken(), self.broken, "{}: {health}", self.host);
    }
}

async fn strict(cases: &[Case]) {
    for case in cases {
        case.strict().await;
    }
}

/// Where strict starts, relaxed does the same.
async fn relaxed(cases: &[Case]) {
    for case in cases.iter().filter(|case| !case.broken.is_empty()) {
        case.relaxed().await;
    }
}

#[tokio::test]
async fn strict_does_without_what_is_refused_or_says_why_it_cannot() {
    strict(&REFUSED).await;
}

#[tokio::test]
async fn strict_claims_nothing_that_is_faked() {
    strict(&FAKED).await;
}

#[tokio::test]
async fn relaxed_says_what_is_refused() {
    relaxed(&REFUSED).await;
}

#[tokio::test]
async fn relaxed_says_what_is_faked() {
    relaxed(&FAKED).await;
}

/// What no mechanism is to blame for, and no policy does without: both say which call it was.
#[test]
fn what_nothing_can_be_done_without_is_named() {
    for (host, words) in [("refuse-memfd", "memfd_create"), ("refuse-close-range", "close_range")] {
        for policy in ["strict", "relaxed"] {
            let (status, said) = Server::refusal(service(host, policy, &[]));
            assert_eq!(status.code(), Some(1), "{host}: {said}");
            assert!(said.contains(words) && said.contains("Operation not permitted"), "{host}: {said}");
        }
    }
}

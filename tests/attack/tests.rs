//! The suite itself: on a service that confines nothing its attacks are found to succeed, and its uses to work.

#[path = "suite.rs"]
mod suite;
#[path = "../support/mod.rs"]
mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc;

use suite::{Credentials, Kind, Options, Promise, Report, Row, Target};
use support::{Directory, Owned, PATIENCE, Server, runtime};

/// Attacks that come to nothing even there, and why.
const HARMLESS_ANYWHERE: [(&str, &str); 2] = [
    ("left-state", "each script runs in a fork there too"),
    ("kernel-unshare", "some machines refuse namespaces to everybody"),
];

/// A service that runs scripts as plain processes.
struct Fake {
    _process: Owned,
    _directory: Directory,
    url: String,
}

impl Fake {
    fn start() -> Self {
        let directory = Directory::new("fake");
        let python = python(&directory);
        let mut command = Command::new(&python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attack/fake_service.py"));
        command.arg(directory.path()).arg(&python);
        command.env_clear().env("EXECUTOR_API_KEY", "SECRET-of-the-service");
        let (heard, listening) = mpsc::channel();
        let process = Owned::spawn(command, move |line| {
            if let Some(port) = line.strip_prefix("listening on ") {
                let _ = heard.send(format!("http://127.0.0.1:{port}"));
            }
        });
        let url = listening.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{}", process.log()));
        Self { _process: process, _directory: directory, url }
    }

    async fn attacked(&self) -> Report {
        let target = Target::http(&self.url, Credentials::default()).expect("a URL");
        let options = Options { unconfined: true, ..Options::default() };
        suite::run(target, &options).await.expect("the fake answers")
    }
}

/// The runtime's Python, which needs the runtime's own C library.
fn python(directory: &Directory) -> std::path::PathBuf {
    let runtime = runtime().canonicalize().expect("it exists");
    let root = runtime.display();
    let loader = std::fs::read_dir(runtime.join("lib64"))
        .or_else(|_| std::fs::read_dir(runtime.join("lib")))
        .expect("the runtime has libraries")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains("ld-linux"))
        .expect("the runtime has a loader");
    let machine = std::env::consts::ARCH;
    let libraries = format!("{root}/usr/lib/{machine}-linux-gnu:{root}/lib/{machine}-linux-gnu:{root}/usr/lib");
    let script = format!(
        "#!/bin/sh\nPYTHONHOME={root}/usr PYTHONDONTWRITEBYTECODE=1 exec {} --library-path {libraries} \
         {root}/usr/bin/python3 \"$@\"\n",
        loader.display()
    );
    let path = directory.write("python", &script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

fn is_expected_to_succeed(row: &Row) -> bool {
    use Promise::{Files, Leftovers, Network, Processes, Secrets};
    row.kind == Kind::Attack
        && [Network, Files, Processes, Secrets, Leftovers].contains(&row.promise)
        && HARMLESS_ANYWHERE.iter().all(|(name, _)| *name != row.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_a_service_that_confines_nothing_are_found_to_succeed() {
    let report = Fake::start().attacked().await;
    let missed: Vec<&str> =
        report.rows.iter().filter(|row| is_expected_to_succeed(row) && !row.is_broken()).map(|row| row.name).collect();
    assert!(missed.is_empty(), "not found: {missed:?}\n{report}");
    assert!(report.broken().count() > 40, "{report}");
    // Not because the service is gone, and not because a program does not run.
    for words in ["afterwards, a plain script", "ModuleNotFoundError", "NameError", "SyntaxError"] {
        let odd: Vec<&Row> = report.broken().filter(|row| row.to_string().contains(words)).collect();
        assert!(odd.is_empty(), "{words}: {odd:#?}");
    }
    for name in ["proto-values-twin", "thread-twin", "process-twin", "net-twin", "memory-twin"] {
        let row = report.row(name).expect("it was run");
        assert_eq!(row.word(), "works", "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_holds_where_scripts_are_confined() {
    let server = Server::start();
    let target = Target::http(&server.url(""), Credentials::default()).expect("a URL");
    let options = Options { only: Some("proto-".into()), ..Options::default() };
    let report = suite::run(target, &options).await.expect("the service answers");
    report.assert_held();
    assert!(report.rows.len() > 10, "{report}");
}

#[tokio::test]
async fn where_nothing_listens_there_is_no_report() {
    let target = Target::http("http://127.0.0.1:9", Credentials::default()).expect("a URL");
    assert!(suite::run(target, &Options::default()).await.is_err());
}

#[test]
fn every_scenario_has_a_name_and_an_attack_its_twin() {
    let scenarios = suite::scenarios();
    let mut names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "a name stands twice");
    for promise in Promise::ALL {
        for kind in [Kind::Attack, Kind::Use] {
            let found = scenarios.iter().any(|scenario| scenario.promise == promise && scenario.kind == kind);
            assert!(found, "no {kind:?} for {promise}");
        }
    }
}

/// Runs the program of `kernel-calls` on a kernel that refuses everything but what asks for nothing, and one call of a name.
const KERNEL_WITHOUT_FILTER: &str = "
import ctypes, platform, sys

class Kernel:
    def syscall(self, number, first, *others):
        ctypes.set_errno(1)
        return 0 if number.value in GIVEN or number.value in OF_EVERYBODY and first == 0 else -1

ctypes.CDLL = lambda *name, **options: Kernel()
exec(open(sys.argv[1]).read())
numbers = {name: both[COLUMN] for name, both in CALLS.items()} | (ONLY_X86 if COLUMN == 0 else {})
GIVEN = {numbers[name] for name in sys.argv[2:]}
OF_EVERYBODY = {numbers[name] for name in ('iopl', 'unshare') if name in numbers}
print([breach.split(':')[0] for breach in main(filtered=False)['breaches']])
";

#[test]
fn a_call_that_asks_for_nothing_is_no_breach() {
    let directory = Directory::new("calls");
    let python = python(&directory);
    let program = directory.write("program.py", include_str!("programs/kernel_calls.py"));
    let breaches = |given: &[&str]| {
        let mut command = Command::new(&python);
        let done = command.args(["-c", KERNEL_WITHOUT_FILTER]).arg(&program).args(given).output();
        let done = done.expect("there is a Python");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("it is text").trim().to_owned()
    };
    assert_eq!(breaches(&[]), "[]");
    assert_eq!(breaches(&["chroot", "unshare"]), "['chroot', 'unshare']");
}

#[test]
fn every_program_is_used() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut sources = String::new();
    for folder in ["attack", "http/attacks"] {
        for entry in std::fs::read_dir(directory.join(folder)).expect("it exists") {
            let path = entry.expect("it can be listed").path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                sources += &std::fs::read_to_string(path).expect("it is text");
            }
        }
    }
    for entry in std::fs::read_dir(directory.join("attack/programs")).expect("it exists") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(sources.contains(&format!("program!(\"{name}\")")), "{name}.py is run by nothing");
    }
}

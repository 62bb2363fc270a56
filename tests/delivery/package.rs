//! What `make package` made, put where Lambda puts it, and run under the emulator in the Lambda jail.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use super::run_suite;
use super::suite::Target;
use super::support::Directory;
use super::support::emulator::{Emulator, direct_reply};
use super::support::jail::jail_with;
use super::{ARCH, builder_python, must, project, template};

/// Lambda's own C library, which has nothing newer (docs.aws.amazon.com/linux/al2023/ug/core-glibc.html).
const NEWEST_GLIBC: (u32, u32) = (2, 34);

/// Unpacks as Lambda does: everything is root's, directories are open to all, files have the archive's modes.
const UNPACK: &str = "
import os, sys, zipfile
os.umask(0o022)
archive, to = sys.argv[1:]
with zipfile.ZipFile(archive) as packed:
    for entry in packed.infolist():
        os.chmod(packed.extract(entry, to), entry.external_attr >> 16 & 0o7777)
";

struct Unpacked {
    task: PathBuf,
    opt: PathBuf,
}

fn archive(part: &str) -> PathBuf {
    let path = project().join(format!("target/package/{part}-{ARCH}.zip"));
    assert!(path.is_file(), "there is no {}: run `make package` first", path.display());
    path
}

/// The archives are unpacked once, for they are large, and in the place of what an earlier run left, for nothing is removed at
/// the end of a test program.
fn unpacked() -> &'static Unpacked {
    static UNPACKED: LazyLock<Unpacked> = LazyLock::new(|| {
        let place = |part, name| {
            let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package").join(name);
            must(Command::new("rm").arg("-rf").arg(&to));
            must(builder_python().args(["-c", UNPACK]).arg(archive(part)).arg(&to));
            to
        };
        Unpacked { task: place("function", "task"), opt: place("layer", "opt") }
    });
    &UNPACKED
}

/// The packed function with the environment that the template gives it.
fn function() -> Emulator {
    let Unpacked { task, opt, .. } = unpacked();
    let places = [(task.as_path(), "/var/task"), (opt.as_path(), "/opt")];
    let command = [jail_with("lambda", &places), vec![OsString::from("/var/task/bootstrap")]].concat();
    let mut variables = template::environment(&[]);
    variables.push(("EXECUTOR_RUNTIME".into(), "/opt/runtime".into()));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    Emulator::of(&command, &variables)
}

fn event(name: &str) -> String {
    let path = project().join("events").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn http(function: &Emulator, event: String) -> Value {
    let (status, answer) = function.try_invoke(event).await;
    assert_eq!(status, 200, "{answer}\n{}", function.process().log());
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error} in {answer}"))
}

#[tokio::test]
async fn the_packed_function_answers_the_events_that_people_can_try() {
    let function = function();
    for (name, body) in [
        ("http-api.json", r#"{"result":5,"stdout":"hello\n"}"#),
        ("http-api-pandas.json", r#"{"result":23.0,"stdout":""}"#),
        ("function-url.json", r#"{"result":5,"stdout":"hello\n"}"#),
        ("rest-api.json", r#"{"result":5,"stdout":"hello\n"}"#),
    ] {
        let answer = http(&function, event(name)).await;
        assert_eq!((&answer["statusCode"], &answer["body"]), (&200.into(), &body.into()), "{name}: {answer}");
    }
    let (status, answer) = function.try_invoke(event("direct.json")).await;
    assert_eq!(status, 200, "{answer}");
    direct_reply(&answer, function.process().log()).succeeds("5", "hello\n");
}

#[tokio::test]
async fn the_packed_function_keeps_every_promise() {
    let function = function();
    let mut health: Value = serde_json::from_str(&event("http-api.json")).expect("it is JSON");
    health["rawPath"] = "/health".into();
    health["requestContext"]["http"]["method"] = "GET".into();
    health["requestContext"]["http"]["path"] = "/health".into();
    let answer = http(&function, health.to_string()).await;
    let health: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("it is JSON");
    assert_eq!(health["status"], "every promise is kept", "{health:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_the_packed_function_come_to_nothing() {
    let _turn = run_suite::turn().await;
    let function = function();
    let reasons = |reason: &str| reason == "no HTTP front door" || reason.starts_with("sealed");
    let target = Target::lambda(function.url()).expect("it is a URL");
    run_suite::come_to_nothing(target, function.process(), reasons).await;
}

/// `readelf` would have to be installed; the builder's Python reads the table of versions itself.
#[test]
fn the_packed_function_needs_no_newer_c_library_than_lambda_has() {
    let bootstrap = unpacked().task.join("bootstrap");
    let told = must(builder_python().arg("tests/delivery/versions.py").arg(bootstrap));
    let versions: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("GLIBC_")).collect();
    assert!(!versions.is_empty(), "it needs no C library at all? {told}");
    for version in versions {
        let mut numbers = version.split('.').map(|number| number.parse().expect("a version of glibc"));
        let found = (numbers.next().expect("a number"), numbers.next().unwrap_or(0));
        assert!(found <= NEWEST_GLIBC, "it needs GLIBC_{version}");
    }
}

/// A build as sam leaves it, of which something is wrong.
fn refusal(prepare: &str, limits: &str) -> String {
    let build = Directory::new("build");
    let prepare = format!(
        "set -e; cd {}; mkdir -p Executor RuntimeLayer/runtime; cp {} Executor/bootstrap; echo text >RuntimeLayer/runtime/file; {prepare}",
        build.path().display(),
        unpacked().task.join("bootstrap").display(),
    );
    must(Command::new("sh").args(["-c", &prepare]));
    let code = format!(
        "import sys; sys.path.insert(0, 'deploy'); import package; from pathlib import Path; {limits}; \
         package.main(Path(sys.argv[1]), Path(sys.argv[1]) / 'out', 'x86_64')"
    );
    let output = builder_python().args(["-c", &code]).arg(build.path()).output().expect("there is a Python");
    if output.status.success() { String::new() } else { String::from_utf8_lossy(&output.stderr).into_owned() }
}

#[test]
fn what_lambda_would_refuse_is_not_packed() {
    assert_eq!(refusal("true", "pass"), "");
    for (prepare, limits, words) in [
        ("ln -s file RuntimeLayer/runtime/link", "pass", "is a symbolic link"),
        ("true", "package.MAX_UNPACKED_BYTES = 1 << 20", "more than Lambda's"),
        ("true", "package.MAX_UPLOAD_BYTES = 1 << 20", "50 MB of a direct upload"),
        ("true", "package.NEWEST_GLIBC = (2, 17)", "Lambda has nothing newer"),
    ] {
        let said = refusal(prepare, limits);
        assert!(said.contains(words), "{words}: {said:?}");
    }
}

#[test]
fn the_archives_hold_what_was_built_and_can_be_read_by_everybody() {
    use std::os::unix::fs::MetadataExt;
    let Unpacked { task, opt, .. } = unpacked();
    let mode =
        |path: PathBuf| path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o7777;
    assert_eq!(mode(task.join("bootstrap")), 0o755);
    assert_eq!(std::fs::read_dir(task).expect("it is there").count(), 1, "bootstrap alone");
    assert_eq!(mode(opt.join("runtime/usr/bin/python3.13")), 0o755);
    let flags = ["--no-links", opt.join("runtime").to_str().expect("the path is text")].join(" ");
    must(Command::new("make").arg("--silent").arg("verify-layer").arg(format!("VERIFY_FLAGS={flags}")));
}

//! What the server needs in order to start, and how it says what is missing.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::server::command;
use crate::support::{Directory, Server, runtime};

/// The server must refuse these settings with status 1; returns what it said.
#[track_caller]
fn refused(variables: &[(&str, &str)]) -> String {
    let (status, words) = Server::refusal(command(variables));
    assert_eq!(status.code(), Some(1), "{words}");
    assert!(!words.contains("panicked"), "{words}");
    words
}

#[test]
fn all_wrong_settings_are_reported_at_once() {
    let wrong = [
        ("PORT", "99999"),
        ("EXECUTOR_HOST", "nowhere"),
        ("EXECUTOR_TIMEOUT_SECONDS", "0"),
        ("EXECUTOR_MEMORY_MB", "plenty"),
        ("EXECUTOR_MAX_PROCESSES", "-1"),
        ("EXECUTOR_SCRATCH_MB", "1.5"),
        ("EXECUTOR_MAX_STDOUT_BYTES", ""),
        ("EXECUTOR_MAX_RESULT_BYTES", "5 MB"),
        ("EXECUTOR_MAX_REQUEST_BYTES", "0x10"),
        ("EXECUTOR_CONCURRENCY", "0"),
        ("EXECUTOR_QUEUE", "many"),
        ("EXECUTOR_QUEUE_SECONDS", "NaN"),
        ("EXECUTOR_PRELOAD", "import os"),
    ];
    let words = refused(&wrong);
    for (name, _) in wrong {
        assert!(words.contains(name), "{name} is not named in: {words}");
    }
}

#[test]
fn each_wrong_value_is_refused_by_itself() {
    for (name, value) in [
        ("EXECUTOR_TIMEOUT_SECONDS", "-3"),
        ("EXECUTOR_TIMEOUT_SECONDS", "inf"),
        ("EXECUTOR_MEMORY_MB", "0"),
        ("EXECUTOR_MAX_PROCESSES", "0"),
        ("EXECUTOR_SCRATCH_MB", "0"),
        ("EXECUTOR_CONCURRENCY", "two"),
        ("EXECUTOR_LOG", "=,="),
    ] {
        let words = refused(&[(name, value)]);
        assert!(words.contains(name), "{name}={value} is not named in: {words}");
    }
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    let words = refused(&[("EXECUTOR_TIMEOUT", "5"), ("EXECUTOR_CONCURENCY", "2")]);
    assert!(words.contains("EXECUTOR_CONCURENCY"), "{words}");
    let exactly = |word: &str| word.trim_end_matches([',', ';', ':', '"']).ends_with("EXECUTOR_TIMEOUT");
    assert!(words.split_whitespace().any(exactly), "{words}");
}

#[test]
fn other_programs_variables_are_ignored() {
    let server = Server::with(&[("EXECUTORS", "x"), ("TIMEOUT", "x"), ("EXECUTOR_PRELOAD", "")]);
    drop(server);
}

#[test]
fn a_missing_runtime_is_named_with_its_path() {
    let directory = Directory::new("no-runtime");
    let path = directory.path().to_str().expect("UTF-8");
    for path in [format!("{path}/missing"), path.to_owned()] {
        let words = refused(&[("EXECUTOR_RUNTIME", &path)]);
        assert!(words.contains(&path), "{words}");
    }
}

#[test]
fn a_module_that_cannot_be_preloaded_is_named() {
    let words = refused(&[("EXECUTOR_PRELOAD", "json,nothing_there")]);
    assert!(words.contains("nothing_there"), "{words}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let words = refused(&[("PORT", &port), ("EXECUTOR_PRELOAD", "")]);
    assert!(words.contains(&port), "{words}");
}

#[tokio::test]
async fn nothing_needs_to_be_preloaded() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "")]);
    let script = "import sys\nloaded = 'numpy' in sys.modules\ndef main(): return loaded";
    server.execute(script).await.succeeds("false", "");
    let script = "import numpy\ndef main(): return int(numpy.arange(4).sum())";
    server.execute(script).await.succeeds("6", "");
}

#[tokio::test]
async fn what_is_preloaded_is_there() {
    let server = Server::with(&[("EXECUTOR_PRELOAD", "decimal, numpy")]);
    let script = "
        import sys
        loaded = ['decimal' in sys.modules, 'numpy' in sys.modules, 'pandas' in sys.modules]
        import numpy

        def main():
            return loaded
    ";
    let reply = server.execute(script).await;
    assert_eq!(reply.returned::<[bool; 3]>(), [true, true, false], "{reply}");
}

/// A shell command that gives the server another place in the file system, and another user.
fn relocated(prepare: &str, start: &str, directory: &Directory) -> Command {
    let plain = command(&[]);
    let root = directory.path().join("root");
    std::fs::create_dir(&root).expect("a directory can be made");
    std::fs::copy(plain.get_program(), directory.path().join("server")).expect("the server is there");
    let script = format!("set -e; mount --rbind \"$1\" \"$2/root\"; {prepare}; exec {start} \"$2/server\"");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(runtime())
        .arg(directory.path())
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("EXECUTOR_RUNTIME", root);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn works_as_an_ordinary_user() {
    let directory = Directory::new("ordinary");
    let start = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all";
    let server = if is_root() {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).expect("the directory is the test's own");
        Server::launch(relocated("true", start, &directory))
    } else {
        Server::start()
    };
    server.is_well().await;
    let script = "import numpy, subprocess, sys
def main(): return subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True).stdout";
    server.execute(script).await.succeeds(r#""1\n""#, "");
}

#[tokio::test]
async fn works_where_only_its_own_user_may_look() {
    let directory = Directory::new("closed");
    let closed = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(directory.path(), closed).expect("the directory is the test's own");
    let server = if is_root() {
        Server::launch(relocated("true", "", &directory))
    } else {
        let copy = directory.path().join("server");
        let plain = command(&[]);
        std::fs::copy(plain.get_program(), &copy).expect("the server is there");
        let mut command = Command::new(copy);
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Server::launch(command)
    };
    server.is_well().await;
}

#[test]
fn the_words_of_a_refusal_are_for_people() {
    let words = refused(&[("EXECUTOR_MEMORY_MB", "plenty")]);
    let line = words.lines().find(|line| line.contains("EXECUTOR_MEMORY_MB"));
    let line = line.expect("the setting is named");
    assert!(line.contains("plenty"), "{words}");
    assert!(!words.contains("Error {"), "{words}");
}

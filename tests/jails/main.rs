//! The jails that stand for hosts refuse what those hosts refuse, and nothing else.

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod world;

use std::process::{Command, Output};

use serde_json::{Value, json};

use calls::Try;
use support::emulator::project;
use support::jail::jail;
use support::runtime;

/// A command in a jail, waited for.
fn run(kind: &str, command: &[&str]) -> Output {
    let words = jail(kind);
    let mut jailed = Command::new(&words[0]);
    jailed.args(&words[1..]).args(command).env_clear().env("PATH", "/usr/bin:/bin");
    jailed.output().expect("the jail can be started")
}

/// What the runtime's Python prints in a jail; it is started by its own loader, which needs no root of its own.
fn python(kind: &str, arguments: &[&str]) -> String {
    let runtime = runtime();
    let lib = runtime.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    let lib = lib.to_str().expect("the path of the runtime is UTF-8");
    let loader = std::fs::read_dir(lib).expect("the runtime has libraries").filter_map(Result::ok);
    let loader = loader.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("/ld-linux-"));
    let loader = loader.expect("the runtime has a loader");
    let (loader, program) = (loader.display().to_string(), runtime.join("usr/bin/python3.13").display().to_string());
    let command = [&[loader.as_str(), "--inhibit-cache", "--library-path", lib, &program, "-I"], arguments].concat();
    let output = run(kind, &command);
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{kind}: {}\n{said}\n{complaint}", output.status);
    said.into_owned()
}

/// The answers to system calls in a jail.
fn answers(kind: &str, calls: &[(i64, Value)]) -> Vec<String> {
    let probe = project().join("tests/jails/probe.py").display().to_string();
    let said = python(kind, &[&probe, &json!(calls).to_string()]);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error} in {said}"))
}

#[track_caller]
fn compare(kind: &str, expected: fn(&Try) -> &'static str) {
    let table = calls::table();
    let calls: Vec<_> = table.iter().map(|row| (row.number, row.arguments.clone())).collect();
    let faults: Vec<String> = answers(kind, &calls)
        .iter()
        .zip(&table)
        .filter(|(answer, row)| *answer != expected(row))
        .map(|(answer, row)| format!("{}: {answer} instead of {}", row.name, expected(row)))
        .collect();
    assert!(faults.is_empty(), "{kind}:\n{}", faults.join("\n"));
}

#[track_caller]
fn refuses_what_takes_capabilities(kind: &str) {
    let table = calls::refused_to_all();
    let calls: Vec<_> = table.iter().map(|(_, number)| (*number, json!([0, 0, 0, 0, 0]))).collect();
    for (answer, (name, _)) in answers(kind, &calls).iter().zip(&table) {
        assert_eq!(answer, "EPERM", "{kind}: {name}");
    }
}

#[test]
fn an_ordinary_user_is_refused_nothing() {
    compare("user", |row| row.user);
}

#[test]
fn a_container_refuses_what_docker_refuses() {
    compare("container", |row| row.container);
    refuses_what_takes_capabilities("container");
}

#[test]
fn a_container_refuses_its_root_the_same() {
    compare("container-root", |row| row.container);
    refuses_what_takes_capabilities("container-root");
}

#[test]
fn lambda_refuses_what_is_reported_of_it() {
    compare("lambda", |row| row.lambda);
}

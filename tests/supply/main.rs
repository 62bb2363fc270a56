//! What the service and its runtime are made of: that the bills of materials say it, that the runtime still is what was
//! built, and that the dependencies are allowed.

#[path = "../support/mod.rs"]
mod support;

mod bills;
mod runtime;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::emulator::{project, tool};
use support::{ARCH, builder_python};

/// The runtime that this machine's build made, whichever the tests run scripts in.
fn built() -> PathBuf {
    project().join("target/layer").join(ARCH).join("runtime")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: run `make layer` first"))
}

fn must(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_dependencies_are_allowed() {
    // What needs no database of advisories; `make audit` has the rest.
    tool("cargo-deny");
    must(Command::new(project().join("supply/audit")).arg("rules"));
}

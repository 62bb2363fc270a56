//! From the repository to a running service: what is packed, the templates, the workflows and the scripts that bring it
//! there. What is packed is run as the cloud would run it.

#[path = "../attack/run_suite.rs"]
mod run_suite;
#[path = "../attack/suite.rs"]
mod suite;
#[path = "../support/mod.rs"]
mod support;

mod aws;
mod cloudrun;
mod container;
mod image;
mod kubernetes;
mod package;
mod scaling;
mod schemas;
mod shell;
mod template;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::emulator::{project, tool};
use support::{ARCH, Directory, builder_python};

/// What a command prints, which must end well.
fn must(command: &mut Command) -> String {
    let output = command.current_dir(project()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The Python that the tests' tools are for. They are in [`packages`].
fn python() -> Command {
    let mut command = Command::new(project().join("target/layer/tools/python3"));
    command.args(["-I", "-B"]);
    command
}

fn packages() -> PathBuf {
    project().join("target/tools/python")
}

/// A directory in which there are only these programs: a PATH on which others are missing.
fn only(programs: &[&str]) -> Directory {
    let directory = Directory::new("programs");
    for name in programs {
        let found = must(Command::new("sh").args(["-c", &format!("command -v {name}")]));
        std::os::unix::fs::symlink(found.trim(), directory.path().join(name)).expect("it is ours");
    }
    directory
}

/// A program in `directory`. Another process writes it: a file that this one has open for writing may be inherited by a process
/// that some other test starts at that moment, and cannot be executed until that one has begun.
fn program(directory: &Directory, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    install(&directory.write("program.unfinished", text), &path);
    path
}

fn install(from: &Path, to: &Path) {
    must(Command::new("install").args(["-D", "-m", "755"]).args([from, to]));
}

/// The files of the repository, of which git knows.
fn files() -> Vec<PathBuf> {
    let listed = must(Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]));
    let paths: Vec<PathBuf> = listed.split_terminator('\0').map(|name| project().join(name)).collect();
    // What is deleted but not yet committed is listed too.
    let paths: Vec<PathBuf> = paths.into_iter().filter(|path| path.is_file()).collect();
    assert!(paths.len() > 100, "git knows only {paths:?}");
    paths
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|found| extensions.contains(&found))
}

//! Commands on the hosts that tests imitate.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The words that start a command in a jail of this kind (see tests/jail).
pub fn jail(kind: &str) -> Vec<OsString> {
    jail_with(kind, &[])
}

/// The same with directories in the places where the host has them.
pub fn jail_with(kind: &str, places: &[(&Path, &str)]) -> Vec<OsString> {
    let mut words = vec![program().into(), kind.into()];
    for (from, to) in places {
        words.extend(["--bind".into(), from.into(), to.into()]);
    }
    words.push("--".into());
    words
}

/// The jail's program; a missing one fails the test. Cargo builds it along with all tests, but not for a single one.
fn program() -> PathBuf {
    let server = Path::new(env!("CARGO_BIN_EXE_py-executor-server"));
    let path = server.with_file_name("examples").join("jail");
    assert!(path.is_file(), "there is no {}: run `cargo build --example jail` first", path.display());
    path
}

/// The same command, behind other words.
pub fn wrapped(words: &[OsString], inner: &Command) -> Command {
    let (program, arguments) = words.split_first().expect("a command has a program");
    let mut outer = Command::new(program);
    outer.args(arguments).arg(inner.get_program()).args(inner.get_args()).env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

//! Programs in place of others.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::program;
use super::super::support::Directory;
use super::project;

/// Programs that stand for others: each notes its words in a line of `log`, then does what `script` says.
pub struct Stand {
    pub directory: Directory,
}

impl Stand {
    pub fn new(programs: &[(&str, &str)]) -> Self {
        let directory = Directory::new("stand");
        fs::create_dir(directory.path().join("bin")).expect("a directory can be made");
        for (name, script) in programs {
            let log = directory.path().join("log").display().to_string();
            let note = format!("#!/bin/bash\necho \"{name} $*\" >>'{log}'\n{script}\n");
            program(&directory, &format!("bin/{name}"), &note);
        }
        Self { directory }
    }

    /// The command, with these programs before all others, and with a home and temporary files in the test's directory.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let path =
            format!("{}/bin:{}", self.directory.path().display(), std::env::var("PATH").expect("there is a PATH"));
        let mut command = Command::new(program.as_ref());
        command.env("PATH", path).env("HOME", self.directory.path()).env("TMPDIR", self.directory.path());
        command
    }

    pub fn script(&self, name: &str) -> Command {
        self.command(project().join(".github").join(name))
    }

    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

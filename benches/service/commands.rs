//! Processes that are started anew for each script, or for nothing at all.

use std::path::Path;
use std::process::Command;

use crate::paths::Paths;

const PLAIN: &str = include_str!("../yardsticks/plain.py");

/// What a script's environment in the service says about threads and places too, so that both do the same work.
const VARIABLES: [(&str, &str); 6] = [
    ("LC_ALL", "C.UTF-8"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("NUMEXPR_NUM_THREADS", "1"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("TZ", "UTC"),
];

impl Paths {
    /// The machine's Python with these arguments.
    pub fn machines_python(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
        command
    }

    /// The runtime's Python in place, without arguments.
    pub fn python_command(&self) -> Command {
        let mut command = Command::new(self.loader());
        command.arg("--inhibit-cache").arg("--library-path").arg(self.libraries());
        command.arg(self.runtime.join("usr/bin/python3.13"));
        command.env_clear().env("PATH", "/usr/bin:/bin").envs(VARIABLES);
        command.env("LOCPATH", self.runtime.join("usr/lib/locale"));
        command.env("PYTHONTZPATH", self.runtime.join("usr/share/zoneinfo"));
        command
    }

    /// The runtime's Python in place with these arguments.
    pub fn runtimes_python(&self, arguments: &[&str]) -> Command {
        let mut command = self.python_command();
        command.args(arguments);
        command
    }

    /// A script in a process of its own.
    pub fn plain(&self, script: &str) -> Command {
        self.runtimes_python(&["-I", "-c", PLAIN, script])
    }

    /// The same in a sandbox by bubblewrap, with the runtime as its root; none where there is no bubblewrap.
    pub fn bubblewrap(&self, script: &str) -> Option<Command> {
        let installed = self.tools.join("bubblewrap");
        if !installed.is_dir() {
            return None;
        }
        let own = installed.join(self.libraries().strip_prefix(&self.runtime).ok()?);
        let mut command = Command::new(self.loader());
        command.arg("--inhibit-cache").arg("--library-path").arg(with(&self.libraries(), &own));
        command.arg(installed.join("usr/bin/bwrap")).args(["--unshare-all", "--die-with-parent", "--ro-bind"]);
        command
            .arg(&self.runtime)
            .args(["/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"]);
        command.args(["--", "/usr/bin/python3.13", "-I", "-c", PLAIN, script]);
        command.env_clear().envs(VARIABLES).env("PATH", "/usr/bin");
        Some(command)
    }
}

fn with(one: &Path, other: &Path) -> String {
    format!("{}:{}", one.display(), other.display())
}

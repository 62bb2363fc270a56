//! The container image, run as Cloud Run's first generation runs it: its root file system, assembled by the script that the
//! Dockerfile calls, with the settings of the Dockerfile's last stage, in gVisor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::emulator::{project, tool};
use super::{Directory, runtime, unique};

/// What Cloud Run adds to the environment of a service, but for the port.
const CLOUD_RUN: [(&str, &str); 3] =
    [("K_SERVICE", "py-executor"), ("K_REVISION", "py-executor-00001-abc"), ("K_CONFIGURATION", "py-executor")];

/// What engines set where an image does not.
const PATH: (&str, &str) = ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

/// The step of the Dockerfile that assembles what its last stage copies.
const ASSEMBLE: &str = "RUN deploy/image-root target/release/py-executor-server target/layer/runtime /image";

/// An image of the test's own; removed when dropped.
pub struct Image {
    pub settings: Settings,
    directory: Directory,
    name: String,
}

/// What the last stage of the Dockerfile says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub user: Option<(u32, u32)>,
    pub variables: BTreeMap<String, String>,
    pub entrypoint: Vec<String>,
    pub health: Vec<String>,
    pub port: Option<u16>,
    pub labels: BTreeMap<String, String>,
}

impl Image {
    /// With the tests' own program.
    pub fn assemble() -> Self {
        let dockerfile = std::fs::read_to_string(project().join("Dockerfile")).expect("there is a Dockerfile");
        // Beside the runtime, so that the script can make links of it.
        let directory = Directory::within(Path::new(env!("CARGO_TARGET_TMPDIR")), "image");
        let mut script = Command::new(project().join("deploy/image-root"));
        script.arg(env!("CARGO_BIN_EXE_py-executor-server")).arg(runtime()).arg(directory.path().join("root"));
        let output = script.output().expect("there is the script");
        assert!(output.status.success(), "{output:?}");
        Self { settings: Settings::read(&dockerfile), directory, name: unique() }
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// The command that runs the image with these variables, which go before its own. Its network is the machine's.
    pub fn command(&self, variables: &[(&str, &str)]) -> Command {
        self.command_of(&self.bundle(variables))
    }

    /// The same for a host that gives it a read-only root, memory in /tmp, and secrets in a directory.
    pub fn locked_down_command(&self, variables: &[(&str, &str)], secrets: &Path) -> Command {
        let mut bundle = self.bundle(variables);
        bundle["root"]["readonly"] = true.into();
        let mounts = bundle["mounts"].as_array_mut().expect("there are mounts");
        mounts.push(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"] }));
        mounts.push(json!({ "destination": "/secrets", "type": "bind", "source": secrets, "options": ["ro"] }));
        self.command_of(&bundle)
    }

    fn command_of(&self, bundle: &Value) -> Command {
        self.directory.write("config.json", &bundle.to_string());
        let mut command = self.runsc();
        command.arg("run").arg("--bundle").arg(self.directory.path()).arg(&self.name);
        command
    }

    /// A command in the container that runs.
    pub fn exec(&self, words: &[String]) -> Command {
        let mut command = self.runsc();
        command.args(["exec", &self.name]).args(words);
        command
    }

    /// Sends a signal to the service, as the platform does; the process that runs the container does not pass one on.
    pub fn signal(&self, name: &str) {
        let output = self.runsc().args(["kill", &self.name, name]).output().expect("runsc starts");
        assert!(output.status.success(), "{output:?}");
    }

    fn runsc(&self) -> Command {
        let mut command = Command::new(tool("runsc"));
        command.arg(format!("--root={}", self.directory.path().join("state").display()));
        command.args(["--network=host", "--platform=systrap", "--ignore-cgroups"]);
        // Changes are kept in memory, as on Cloud Run.
        command.arg("--overlay2=root:memory");
        command
    }

    /// The configuration of the container (OCI runtime specification, config.md).
    fn bundle(&self, variables: &[(&str, &str)]) -> Value {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut all: BTreeMap<String, String> = [PATH].iter().chain(&CLOUD_RUN).map(owned).collect();
        all.extend(self.settings.variables.clone());
        all.extend(variables.iter().map(owned));
        let environment: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let namespaces = ["pid", "mount", "ipc", "uts"].map(|kind| json!({ "type": kind }));
        let (uid, gid) = self.settings.user.unwrap_or_default();
        json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": { "uid": uid, "gid": gid },
                "args": self.settings.entrypoint,
                "env": environment,
                "cwd": "/",
                "capabilities": {},
            },
            "root": { "path": self.root() },
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
                { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] },
            ],
            "linux": { "namespaces": namespaces },
        })
    }
}

impl Settings {
    /// Understands the few instructions that the last stage needs; any other is a fault.
    pub fn read(dockerfile: &str) -> Self {
        let instructions = instructions(dockerfile);
        let start = instructions.iter().rposition(|line| line.starts_with("FROM ")).expect("there is a stage");
        let (before, stage) = instructions.split_at(start);
        assert!(before.iter().any(|line| line == ASSEMBLE), "not in the Dockerfile: {ASSEMBLE}");
        let mut settings = Self::default();
        for line in stage {
            let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
            settings.apply(instruction, rest.trim());
        }
        settings
    }

    fn apply(&mut self, instruction: &str, rest: &str) {
        match instruction {
            "FROM" => assert_eq!(rest, "scratch", "the image has a base"),
            "COPY" => assert_eq!(rest, "--from=build /image/ /", "the image is not what the script assembles"),
            "USER" => self.user = Some(numbers(rest)),
            "EXPOSE" => self.port = Some(rest.parse().expect("a port")),
            "ENV" => self.variables.extend(pairs(rest)),
            "LABEL" => self.labels.extend(pairs(rest)),
            "ENTRYPOINT" => self.entrypoint = exec_form(rest),
            "HEALTHCHECK" => self.health = exec_form(rest.split_once("CMD ").expect("a command").1),
            _ => panic!("the test of the image does not understand `{instruction} {rest}`"),
        }
    }
}

/// Without comments, each in one line.
fn instructions(dockerfile: &str) -> Vec<String> {
    let lines = dockerfile.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.lines().map(words).filter(|line| !line.is_empty()).collect()
}

fn numbers(text: &str) -> (u32, u32) {
    let (user, group) = text.split_once(':').expect("a user and a group");
    (user.parse().expect("the user is a number"), group.parse().expect("the group is a number"))
}

/// `name=value` and `name="some value"`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a quote ends"),
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        found.push((name.trim().to_owned(), value.to_owned()));
        rest = after;
    }
    assert!(rest.trim().is_empty(), "not `name=value`: {rest}");
    found
}

/// The form that needs no shell.
fn exec_form(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no list of words: {text}: {error}"))
}

//! A daemon of Docker's, and containers in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::Signal;

use crate::support::emulator::{free_address, tool};
use crate::support::image::{Image, Settings};
use crate::support::{Directory, Owned, PATIENCE, Server, unique};

const NAME: &str = "py-executor-test";

/// The image, and the daemon that has it. Both end with it.
pub struct Docker {
    daemon: Owned,
    directory: Directory,
}

impl Docker {
    pub fn start() -> Self {
        let directory = Directory::within(Path::new(env!("CARGO_TARGET_TMPDIR")), "docker");
        let mut command = Command::new(tool("dockerd"));
        let place = |name: &str| directory.path().join(name);
        command.arg("--data-root").arg(place("data")).arg("--exec-root").arg(place("exec"));
        command.arg("--pidfile").arg(place("pid")).arg("--host").arg(socket(&directory));
        // Containers have the machine's network, or none.
        command.args(["--iptables=false", "--ip6tables=false", "--bridge=none"]);
        command.env("PATH", path());
        let daemon = Owned::spawn(command, |_| ());
        let docker = Self { daemon, directory };
        let until = Instant::now() + PATIENCE;
        while !docker.client(&["version"]).status.success() {
            assert!(Instant::now() < until, "there is no Docker:\n{}", docker.daemon.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        docker.import();
        docker
    }

    /// Brings the image in: as `docker build` would leave it, without building it here.
    fn import(&self) {
        let image = Image::assemble();
        let Settings { user, variables, entrypoint, health, .. } = &image.settings;
        let (uid, gid) = user.expect("the image has a user");
        let list = |words: &[String]| serde_json::to_string(words).expect("a list of words");
        let mut changes = vec![
            format!("USER {uid}:{gid}"),
            format!("ENTRYPOINT {}", list(entrypoint)),
            format!("HEALTHCHECK CMD {}", list(health)),
        ];
        changes.extend(variables.iter().map(|(name, value)| format!("ENV {name}={value}")));
        let mut tar = Command::new("tar")
            .args(["--create", "--numeric-owner", "--owner=0", "--group=0", "--directory"])
            .arg(image.root())
            .arg(".")
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar starts");
        let mut import = self.command();
        import.arg("import");
        for change in &changes {
            import.args(["--change", change]);
        }
        let output = import.args(["-", NAME]).stdin(tar.stdout.take().expect("it is piped")).output();
        let output = output.expect("docker starts");
        assert!(output.status.success() && tar.wait().is_ok_and(|status| status.success()), "{output:?}");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(tool("docker"));
        command.arg("--host").arg(socket(&self.directory)).env("PATH", path());
        // Not the settings of whoever runs the tests.
        command.env("DOCKER_CONFIG", self.directory.path());
        command
    }

    fn client(&self, words: &[&str]) -> Output {
        self.command().args(words).output().expect("docker starts")
    }

    fn run(&self, name: &str, options: &[&str]) -> Command {
        let mut command = self.command();
        command.args(["run", "--rm", "--name", name, "--network", "host"]);
        let address = free_address();
        command.args(["--env", &format!("EXECUTOR_HOST={}", address.ip())]);
        command.args(["--env", &format!("PORT={}", address.port()), "--env", "EXECUTOR_LOG_FORMAT=json"]);
        // The tests run beside others: pandas may take its time to be there.
        command.args(["--env", "EXECUTOR_QUEUE_SECONDS=60"]);
        command.args(options).arg(NAME);
        command
    }

    /// Starts a container with these options of `docker run`, and waits until the service in it listens.
    pub fn start_container(&self, options: &[&str]) -> Container<'_> {
        let name = unique();
        let server = Server::launch(self.run(&name, options));
        Container { name, server, docker: self }
    }

    /// What a service says that does not start in a container with these options.
    pub fn refusal(&self, options: &[&str]) -> String {
        let (status, said) = Server::refusal(self.run(&unique(), options));
        assert!(!status.success(), "it started");
        said
    }
}

impl Drop for Docker {
    /// As a system would end it, so that nothing of it stays mounted.
    fn drop(&mut self) {
        self.daemon.signal(Signal::TERM);
        self.daemon.wait(PATIENCE);
        // It leaves its own network namespace behind.
        let _ = unmount(self.directory.path().join("exec/netns/default"), UnmountFlags::DETACH);
    }
}

pub struct Container<'a> {
    name: String,
    pub server: Server,
    docker: &'a Docker,
}

impl Container<'_> {
    /// What the image's own health check ends with.
    pub fn check(&self) -> Output {
        self.docker.client(&["exec", &self.name, "/py-executor-server", "health"])
    }

    /// Ends it as `docker stop` does. Gives the status that the service has ended with.
    pub fn stop(mut self) -> Option<i32> {
        let stopped = self.docker.client(&["stop", &self.name]);
        assert!(stopped.status.success(), "{stopped:?}");
        self.server.process_mut().wait(PATIENCE).code()
    }
}

impl Drop for Container<'_> {
    /// The client that runs it may be ended without it.
    fn drop(&mut self) {
        self.docker.client(&["rm", "--force", &self.name]);
    }
}

fn socket(directory: &Directory) -> String {
    format!("unix://{}/socket", directory.path().display())
}

/// The daemon starts others of its programs by their names.
fn path() -> std::ffi::OsString {
    let ours = tool("dockerd").parent().map(PathBuf::from).expect("it is in a directory");
    let machine = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(ours).chain(std::env::split_paths(&machine))).expect("no path has a colon")
}

//! What listens: the service, and its rivals that answer to the same requests.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc;
use std::time::Instant;

use crate::Fallible;
use crate::cases::Case;
use crate::http::{Connection, PATIENCE, post};
use crate::paths::{Paths, free_address, joined};
use crate::process::Owned;
use crate::tree::Tree;

/// Which path takes scripts under the emulator of Lambda.
const INVOCATIONS: &str = "/2015-03-31/functions/function/invocations";

/// A running program that takes scripts.
pub struct Target {
    pub process: Owned,
    pub address: SocketAddr,
    path: &'static str,
    started: Instant,
    probed: mpsc::Receiver<Instant>,
}

impl Target {
    fn start(command: Command, address: SocketAddr, path: &'static str) -> Self {
        let (probe_ended, probed) = mpsc::channel();
        let started = Instant::now();
        let process = Owned::spawn(command, move |line| {
            // The service says what confines scripts as soon as it knows.
            if line.contains("\"sandbox\"") {
                let _ = probe_ended.send(Instant::now());
            }
        });
        Self { process, address, path, started, probed }
    }

    /// The service; it answers as soon as it can.
    pub fn service(place: &Paths, variables: &[(&str, &str)]) -> Self {
        let address = free_address();
        let mut command = Command::new(&place.server);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("EXECUTOR_RUNTIME", &place.runtime);
        command.env("EXECUTOR_HOST", address.ip().to_string()).env("PORT", address.port().to_string());
        command.envs(variables.iter().copied());
        Self::start(command, address, "/execute")
    }

    /// Flask behind gunicorn, in the runtime's Python: as many processes as the service runs scripts at a time, each
    /// with one thread, because output is caught by replacing `sys.stdout`.
    pub fn flask(place: &Paths) -> Fallible<Self> {
        let address = free_address();
        let processes = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string();
        let mut command = place.python_command();
        command.args(["-m", "gunicorn", "--bind", &address.to_string(), "--workers", &processes, "--threads", "1"]);
        command.args(["--worker-class", "gthread", "--keep-alive", "300", "--log-level", "warning", "flask_app:app"]);
        command.env("PYTHONPATH", joined(&[&place.yardsticks, &place.tools.join("python")])?);
        Ok(Self::start(command, address, "/execute"))
    }

    /// The Lambda binary under the emulator.
    pub fn lambda(place: &Paths) -> Self {
        let mut command = Self::emulated(place, &[place.lambda.clone().into_os_string()]);
        command.1.env("EXECUTOR_RUNTIME", &place.runtime);
        Self::start(command.1, command.0, INVOCATIONS)
    }

    /// AWS's own runtime client for Python under the same emulator, in the runtime's Python.
    pub fn awslambdaric(place: &Paths) -> Fallible<Self> {
        let python = place.python_command();
        let words = std::iter::once(python.get_program()).chain(python.get_args()).map(OsString::from);
        let words: Vec<OsString> = words.chain(["-m", "awslambdaric", "lambda_app.handler"].map(Into::into)).collect();
        let (address, mut command) = Self::emulated(place, &words);
        command.envs(python.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PYTHONPATH", joined(&[&place.yardsticks, &place.tools.join("python")])?);
        command.env("LAMBDA_TASK_ROOT", &place.yardsticks);
        Ok(Self::start(command, address, INVOCATIONS))
    }

    /// The emulator writes what the function prints to standard output, which is the log here.
    fn emulated(place: &Paths, function: &[OsString]) -> (SocketAddr, Command) {
        let (address, api) = (free_address(), free_address());
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$@" >&2"#, "sh"]).arg(&place.emulator);
        command.args(["--runtime-interface-emulator-address", &address.to_string()]);
        command.args(["--runtime-api-address", &api.to_string()]).args(function);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("AWS_LAMBDA_FUNCTION_TIMEOUT", "60");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769").env("AWS_LAMBDA_LOG_LEVEL", "ERROR");
        (address, command)
    }

    pub async fn connect(&self) -> Fallible<Connection> {
        Connection::open(self.address).await.map_err(|error| self.blame(&error.to_string()))
    }

    /// The request that runs a script.
    pub fn request(&self, case: &Case) -> Vec<u8> {
        post(self.path, &case.body())
    }

    /// Runs a script over a connection of its own.
    pub async fn run(&self, case: &Case) -> Fallible<Vec<u8>> {
        let mut connection = self.connect().await?;
        let status = connection.ask(&self.request(case)).await.map_err(|error| self.blame(&error.to_string()))?;
        let body = connection.body();
        if status == 200 {
            return Ok(body.to_vec());
        }
        Err(self.blame(&format!("{}: {status} {}", case.name, String::from_utf8_lossy(body))))
    }

    /// When it was started; and until when it found out what confines scripts, if it does that.
    pub fn started(&self) -> Instant {
        self.started
    }

    pub fn probe_seconds(&self) -> Option<f64> {
        self.probed.try_recv().ok().map(|end| (end - self.started).as_secs_f64())
    }

    /// The processes when nothing comes or goes any more.
    pub async fn at_rest(&self) -> Fallible<Tree> {
        let tree = Tree::at_rest(self.process.id(), PATIENCE).await;
        tree.ok_or_else(|| self.blame("the service does not come to rest"))
    }

    pub fn blame(&self, words: &str) -> String {
        format!("{words}\n{}", self.process.log())
    }
}

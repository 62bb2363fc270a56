//! The Lambda binary under the emulator of Lambda's runtime interface.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::sync::Mutex;

use super::process::{Entry, Watched};
use super::{Log, Owned, PATIENCE, Reply, runtime, server::client, unique};

/// What the function's environment holds as credentials, for tests that look for them where they must not be.
pub const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";

/// An emulator and the function that it runs. One invocation is under way at a time, as in Lambda.
pub struct Emulator {
    process: Owned,
    invocations: String,
    api: SocketAddr,
    turn: Mutex<()>,
}

impl Emulator {
    /// The function with default settings that tests share when they need none of their own.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Emulator> = LazyLock::new(Emulator::start);
        &SHARED
    }

    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A function of the test's own, with these variables in its environment. It starts with its first invocation.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        Self::of(&[binary().into()], variables)
    }

    /// The same for a function that is started by a command of its own.
    pub fn of(function: &[OsString], variables: &[(&str, &str)]) -> Self {
        let (address, api) = (free_address(), free_address());
        let process = Owned::spawn(command(address, api, function, variables), |_| ());
        wait_for_listener(address, &process);
        let invocations = format!("http://{address}/2015-03-31/functions/function/invocations");
        Self { process, invocations, api, turn: Mutex::new(()) }
    }

    /// The status of the invocation and what it was answered with, also where the function failed.
    pub async fn try_invoke(&self, payload: impl Into<String>) -> (u16, String) {
        let _turn = self.turn.lock().await;
        let request = client(Client::builder().http1_only()).post(&self.invocations).body(payload.into());
        let response = request.send().await.unwrap_or_else(|error| panic!("{error:?}\n{}", self.process.log()));
        let status = response.status().as_u16();
        (status, response.text().await.expect("the emulator sends the whole answer"))
    }

    pub fn process(&self) -> &Owned {
        &self.process
    }

    pub fn process_mut(&mut self) -> &mut Owned {
        &mut self.process
    }

    /// Where direct invocations go.
    pub fn url(&self) -> &str {
        &self.invocations
    }

    /// Where the function takes its invocations from.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// The function's own process, the only child of the emulator.
    pub fn function(&self) -> Entry {
        let mut children = self.process.descendants();
        children.retain(|entry| entry.parent == self.process.id() && entry.is_alive());
        assert_eq!(children.len(), 1, "{children:?}\n{}", self.process.log());
        children.remove(0)
    }

    /// All processes of the function: its own, the warm Pythons and the workers.
    pub fn processes(&self) -> Vec<Watched> {
        self.process.descendants().iter().filter_map(|entry| Watched::new(entry.pid)).collect()
    }
}

/// The emulator writes the function's output to its own standard output: both become one log.
fn command(address: SocketAddr, api: SocketAddr, function: &[OsString], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$@" >&2"#, "sh"]).arg(tool("aws-lambda-rie"));
    command.args(["--runtime-interface-emulator-address", &address.to_string()]);
    command.args(["--runtime-api-address", &api.to_string()]);
    command.args(function);
    command.env_clear().env("EXECUTOR_RUNTIME", runtime());
    command.envs([
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("RUST_BACKTRACE", "1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "py-executor"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769"),
        ("AWS_LAMBDA_FUNCTION_TIMEOUT", "60"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", SECRET),
    ]);
    command.envs(variables.iter().copied());
    command
}

/// The Lambda binary, under the name that it has in Lambda. It is a link of the tests' own, because a build that runs
/// meanwhile takes the binary away for a moment.
pub fn binary() -> &'static Path {
    static LINK: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (new, link) = (directory.join(unique()), directory.join("bootstrap"));
        std::fs::hard_link(env!("CARGO_BIN_EXE_py-executor-lambda"), &new).expect("the binary can be linked");
        std::fs::rename(&new, &link).expect("a link can be renamed");
        // Renaming does nothing where both are the same file already.
        let _ = std::fs::remove_file(&new);
        link
    });
    &LINK
}

/// The project's directory.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A tool of the tests; a missing one fails the test.
pub fn tool(name: &str) -> PathBuf {
    let path = project().join("target/tools/bin").join(name);
    assert!(path.is_file(), "there is no {}: run `make tools` first", path.display());
    path
}

/// An address that nothing else uses: in the loopback network, this process has a host number of its own.
pub fn free_address() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, 64 | high, middle, low), PORT.fetch_add(1, Ordering::Relaxed)).into()
}

/// Waits until `process` accepts connections, of which it says nothing.
pub fn wait_for_listener(address: SocketAddr, process: &Owned) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {address}\n{}", process.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The answer to a direct invoke is the body itself. Its kind stands for the status that it lacks.
pub fn direct_reply(answer: &str, log: &Log) -> Reply {
    let status = if answer.starts_with(r#"{"result":"#) { 200 } else { 400 };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Reply::new(status, headers, answer.to_owned().into_bytes()).with_log(log)
}

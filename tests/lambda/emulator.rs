//! The Lambda binary under the emulator of Lambda's runtime interface.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::answer::Answer;
use crate::source::Source;
use crate::support::process::{Entry, Watched};
use crate::support::{Owned, PATIENCE, Reply, runtime, server::client, unique};

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
        let (address, api) = (free_address(), free_address());
        let process = Owned::spawn(command(address, api, variables), |_| ());
        wait_for_listener(address, &process);
        let invocations = format!("http://{address}/2015-03-31/functions/function/invocations");
        Self { process, invocations, api, turn: Mutex::new(()) }
    }

    /// Sends a payload to the function, which must answer.
    pub async fn invoke(&self, payload: impl Into<String>) -> Answer {
        let (status, text) = self.try_invoke(payload).await;
        assert_eq!(status, 200, "the invocation failed: {text}\n{}", self.process.log());
        Answer::new(text, self.process.log())
    }

    /// The status of the invocation and what it was answered with, also where the function failed.
    pub async fn try_invoke(&self, payload: impl Into<String>) -> (u16, String) {
        let _turn = self.turn.lock().await;
        let request = client(Client::builder().http1_only()).post(&self.invocations).body(payload.into());
        let response = request.send().await.unwrap_or_else(|error| panic!("{error:?}\n{}", self.process.log()));
        let status = response.status().as_u16();
        (status, response.text().await.expect("the emulator sends the whole answer"))
    }

    /// Invokes the function directly with a script alone.
    pub async fn run(&self, script: &str) -> Answer {
        self.invoke(serde_json::json!({ "script": crate::support::dedent(script) }).to_string()).await
    }

    /// Runs a script by a direct invoke and by an event of each source.
    pub async fn run_in_every_way(&self, script: &str) -> Vec<Reply> {
        let mut replies = vec![self.run(script).await.direct()];
        for source in Source::ALL {
            replies.push(self.invoke(source.script(script)).await.http(source));
        }
        replies
    }

    /// A plain script gets its right answer.
    pub async fn is_well(&self) {
        self.run("def main():\n    print('well')\n    return 2 + 3").await.direct().succeeds("5", "well\n");
    }

    pub fn process(&self) -> &Owned {
        &self.process
    }

    pub fn process_mut(&mut self) -> &mut Owned {
        &mut self.process
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
fn command(address: SocketAddr, api: SocketAddr, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$@" >&2"#, "sh"]).arg(tool("aws-lambda-rie"));
    command.args(["--runtime-interface-emulator-address", &address.to_string()]);
    command.args(["--runtime-api-address", &api.to_string()]);
    command.arg(binary());
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

/// The text of an event of this test suite, without the extension.
pub fn event(name: &str) -> String {
    read(&project().join("tests/lambda/events").join(format!("{name}.json")))
}

/// The text of an event that is there for people to try.
pub fn example(name: &str) -> String {
    read(&project().join("events").join(format!("{name}.json")))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The value of an event's text.
pub fn parsed(event: &str) -> Value {
    serde_json::from_str(event).unwrap_or_else(|error| panic!("{error} in {event}"))
}

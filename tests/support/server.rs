//! A running server, and the requests that tests send to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use serde_json::{Value, json};

use super::process::{Entry, Owned};
use super::{Log, PATIENCE, Reply, dedent, listening, runtime};

pub struct Server {
    process: Owned,
    address: SocketAddr,
}

impl Server {
    /// The server with default settings that tests share when they need none of their own.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Server> = LazyLock::new(Server::start);
        &SHARED
    }

    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server of the test's own, with these variables in its environment.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        Self::launch(command(variables))
    }

    /// Starts `command` and waits until the server accepts connections.
    pub fn launch(command: Command) -> Self {
        let (heard, listening) = mpsc::channel();
        let process = Owned::spawn(command, move |line| {
            if let Some(address) = listening::address(line) {
                let _ = heard.send(address);
            }
        });
        let address = listening.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!("the server does not listen\n{}", process.log());
        });
        Self { process, address }
    }

    /// Starts the server with settings that it must refuse; returns its exit status and its words.
    pub fn refusal(command: Command) -> (ExitStatus, String) {
        let mut process = Owned::spawn(command, |_| ());
        let status = process.wait(PATIENCE);
        (status, process.log().text())
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn process(&self) -> &Owned {
        &self.process
    }

    pub fn process_mut(&mut self) -> &mut Owned {
        &mut self.process
    }

    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// The warm Python processes, which are the server's own children.
    pub fn zygotes(&self) -> Vec<Entry> {
        let mut found = self.process.descendants();
        found.retain(|entry| entry.parent == self.process.id() && entry.command.contains("zygote") && entry.is_alive());
        found
    }

    /// The forks of the warm processes: parked, running, or started by scripts.
    pub fn workers(&self) -> Vec<Entry> {
        let zygotes: Vec<u32> = self.zygotes().iter().map(|entry| entry.pid).collect();
        let mut found = self.process.descendants();
        found.retain(|entry| !zygotes.contains(&entry.pid) && entry.is_alive());
        found
    }

    /// Runs a script (see [`dedent`]).
    pub async fn execute(&self, script: &str) -> Reply {
        self.execute_with(script, json!({})).await
    }

    /// Runs a script with further fields of the request.
    pub async fn execute_with(&self, script: &str, fields: Value) -> Reply {
        let mut request = fields;
        request["script"] = Value::from(dedent(script));
        self.post(request.to_string()).await
    }

    /// Posts a body to `/execute` as JSON.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> Reply {
        self.post_to("/execute", body).await
    }

    /// Posts a body as JSON.
    pub async fn post_to(&self, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        let request = self.request(Method::POST, path);
        self.send(request.header("content-type", "application/json").body(body)).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// A request over a connection of its own.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        client(Client::builder().http1_only()).request(method, self.url(path))
    }

    pub async fn send(&self, request: RequestBuilder) -> Reply {
        match self.try_send(request).await {
            Ok(reply) => reply,
            Err(error) => panic!("no reply: {error:?}\n{}", self.log()),
        }
    }

    /// Sends a request that may also find no server.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Reply, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        Ok(Reply::new(status, headers, body).with_log(self.log()))
    }

    /// A plain script gets its right answer.
    pub async fn is_well(&self) {
        let script = "
            def main():
                print('well')
                return 2 + 3
        ";
        self.execute(script).await.succeeds("5", "well\n");
    }
}

/// A client that speaks to the tests' own machine only, and does not wait forever.
pub fn client(builder: ClientBuilder) -> Client {
    builder.no_proxy().timeout(PATIENCE).build().expect("a client without TLS can always be made")
}

/// The command that starts the server: loopback, any free port, no variables but the given ones.
pub fn command(variables: &[(&str, &str)]) -> Command {
    let runtime = runtime();
    let runtime = runtime.to_str().expect("the path of the runtime is UTF-8");
    let mut all = BTreeMap::from([
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("RUST_BACKTRACE", "1"),
        ("PORT", "0"),
        ("EXECUTOR_HOST", "127.0.0.1"),
        ("EXECUTOR_RUNTIME", runtime),
    ]);
    all.extend(variables.iter().copied());
    let mut command = Command::new(env!("CARGO_BIN_EXE_py-executor-server"));
    command.env_clear().envs(all);
    command
}

/// Time that an answer may take when it must come at once, on a busy machine.
pub const AT_ONCE: Duration = Duration::from_secs(5);

//! The hosts that the service runs on, and the service on each of them.

use std::ffi::OsString;

use rustix::process::geteuid;
use serde_json::{Value, json};

use crate::suite::{Credentials, Target};
use crate::support::emulator::{Emulator, binary, direct_reply};
use crate::support::group::MemoryGroup;
use crate::support::image::Image;
use crate::support::jail::{jail, wrapped};
use crate::support::{Log, Owned, Reply, RunReply, Server, dedent, server};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Linux, an ordinary user.
    User,
    /// Linux, root.
    Root,
    /// Google Cloud Run's first generation: the container image in gVisor.
    GVisor,
    /// Docker, an ordinary user.
    Container,
    /// Docker, root without capabilities.
    ContainerRoot,
    /// A function on AWS Lambda.
    Lambda,
}

/// The service on a host. It ends with everything below it when dropped.
pub struct Service {
    front: Front,
    /// What it runs in; removed after it has ended.
    _image: Option<Image>,
}

enum Front {
    Http(Server),
    Lambda(Emulator),
}

impl Host {
    /// Starts the service with default settings and waits until it is there.
    pub fn start(self) -> Service {
        self.start_with(&[])
    }

    /// The same with these variables in its environment.
    pub fn start_with(self, variables: &[(&str, &str)]) -> Service {
        assert!(geteuid().is_root(), "{self:?}: only root can make the other hosts: start the tests as root");
        let image = (self == Self::GVisor).then(Image::assemble);
        let front = match &image {
            Some(image) => Front::Http(Server::launch(image.command(&on_any_port(variables)))),
            None if self == Self::Lambda => {
                let function = [jail("lambda"), vec![binary().into()]].concat();
                Front::Lambda(Emulator::of(&function, variables))
            }
            None => Front::Http(self.serve(variables)),
        };
        Service { front, _image: image }
    }

    /// The same in a cgroup, for hosts that are no container image.
    pub fn start_in(self, group: &MemoryGroup, variables: &[(&str, &str)]) -> Service {
        self.start_behind(&group.entrance(), variables)
    }

    /// The same behind words that start a command.
    pub fn start_behind(self, entrance: &[OsString], variables: &[(&str, &str)]) -> Service {
        let words = [entrance, &self.words()].concat();
        let front = Front::Http(Server::launch(wrapped(&words, &server::command(variables))));
        Service { front, _image: None }
    }

    fn serve(self, variables: &[(&str, &str)]) -> Server {
        let inner = server::command(variables);
        Server::launch(match self.words() {
            words if words.is_empty() => inner,
            words => wrapped(&words, &inner),
        })
    }

    /// What precedes the command of the service.
    fn words(self) -> Vec<OsString> {
        match self {
            Self::Root => Vec::new(),
            Self::User => jail("user"),
            Self::Container => jail("container"),
            Self::ContainerRoot => jail("container-root"),
            Self::GVisor | Self::Lambda => panic!("{self:?} starts it by itself"),
        }
    }
}

/// Only for the tests' own machine, of which the image has the network.
fn on_any_port<'a>(variables: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("EXECUTOR_HOST", "127.0.0.1"), ("PORT", "0"), ("RUST_BACKTRACE", "1")], variables].concat()
}

/// A process's number in its innermost PID namespace (proc_pid_status(5)).
fn number_inside(pid: u32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().last()?.parse().ok()
}

impl Service {
    /// Where HTTP requests go; on Lambda, direct invocations.
    pub fn url(&self) -> String {
        match &self.front {
            Front::Http(server) => server.url("/execute"),
            Front::Lambda(emulator) => emulator.url().to_owned(),
        }
    }

    /// The service as something to attack.
    pub fn target(&self) -> Target {
        let target = match &self.front {
            Front::Http(server) => Target::http(&server.url(""), Credentials::default()),
            Front::Lambda(emulator) => Target::lambda(emulator.url()),
        };
        target.expect("both are URLs")
    }

    /// Runs a script (see [`dedent`]) and compares as if all hosts answered by HTTP.
    pub async fn execute(&self, script: &str) -> Reply {
        self.execute_with(script, json!({})).await
    }

    /// The same with arguments for `main`.
    pub async fn execute_with(&self, script: &str, inputs: Value) -> Reply {
        match &self.front {
            Front::Http(server) => server.execute_with(script, json!({ "inputs": inputs })).await,
            Front::Lambda(_) => {
                let (status, answer) = self.try_execute(script, inputs).await;
                assert_eq!(status, 200, "the invocation failed: {answer}\n{}", self.log());
                direct_reply(&answer, self.log())
            }
        }
    }

    /// Runs a script by `/v1/run`, with further fields of the request. On Lambda it comes as an event of an HTTP API.
    pub async fn run_with(&self, script: &str, fields: Value) -> RunReply {
        match &self.front {
            Front::Http(server) => server.run_with(script, fields).await,
            Front::Lambda(_) => RunReply::new(self.reply_of_event(script, fields).await),
        }
    }

    /// On Lambda: whatever is answered to an event that asks for that.
    pub async fn reply_of_event(&self, script: &str, mut fields: Value) -> Reply {
        fields["script"] = dedent(script).into();
        let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("it is JSON");
        event["rawPath"] = "/v1/run".into();
        event["body"] = fields.to_string().into();
        let (status, answer) = self.emulator().try_invoke(event.to_string()).await;
        assert_eq!(status, 200, "the invocation failed: {answer}\n{}", self.log());
        let answer: Value = serde_json::from_str(&answer).expect("it is JSON");
        let headers = answer["headers"].as_object().expect("there are headers").iter();
        let header = |(name, value): (&String, &Value)| Some((name.parse().ok()?, value.as_str()?.parse().ok()?));
        let headers = headers.filter_map(header).collect();
        let status = answer["statusCode"].as_u64().and_then(|status| status.try_into().ok()).expect("a status");
        let body = answer["body"].as_str().expect("a body").as_bytes().to_vec();
        Reply::new(status, headers, body).with_log(self.log())
    }

    /// On Lambda: the status of the invocation and what it was answered with, also where the function failed.
    pub async fn try_execute(&self, script: &str, inputs: Value) -> (u16, String) {
        let payload = json!({ "script": dedent(script), "inputs": inputs }).to_string();
        self.emulator().try_invoke(payload).await
    }

    /// A plain script gets its right answer.
    pub async fn is_well(&self) {
        self.execute("def main():\n    print('well')\n    return 2 + 3").await.succeeds("5", "well\n");
    }

    pub fn server(&self) -> &Server {
        match &self.front {
            Front::Http(server) => server,
            Front::Lambda(_) => panic!("Lambda has no server"),
        }
    }

    pub fn emulator(&self) -> &Emulator {
        match &self.front {
            Front::Lambda(emulator) => emulator,
            Front::Http(_) => panic!("only Lambda has an emulator"),
        }
    }

    /// The numbers that the host's processes have among themselves, with their commands.
    pub fn numbers_inside(&self) -> Vec<(i32, String)> {
        let below = self.process().descendants();
        below.iter().filter_map(|entry| Some((number_inside(entry.pid)?, entry.command.clone()))).collect()
    }

    pub fn process(&self) -> &Owned {
        match &self.front {
            Front::Http(server) => server.process(),
            Front::Lambda(emulator) => emulator.process(),
        }
    }

    pub fn log(&self) -> &Log {
        self.process().log()
    }
}

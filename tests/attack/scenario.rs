//! What a scenario is: data.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::{Value, json};

use super::bench::Bench;
use super::judge::{Judge, Trouble};
use super::program;

/// What the service promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    Network,
    Files,
    Processes,
    Secrets,
    Bounds,
    Leftovers,
    Service,
}

impl Promise {
    pub const ALL: [Self; 7] =
        [Self::Network, Self::Files, Self::Processes, Self::Secrets, Self::Bounds, Self::Leftovers, Self::Service];

    /// The short name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Network => "P1",
            Self::Files => "P2",
            Self::Processes => "P3",
            Self::Secrets => "P4",
            Self::Bounds => "P5",
            Self::Leftovers => "P6",
            Self::Service => "service",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Network => "no network of any kind",
            Self::Files => "no files but the read-only runtime and an empty scratch directory",
            Self::Processes => "no sight of, and no signal to, other processes; no way into the kernel",
            Self::Secrets => "no secrets: environment, memory and descriptors of the service are out of reach",
            Self::Bounds => "bounded time, memory, processes, output, result, scratch space and open files",
            Self::Leftovers => "nothing left behind, and a result channel that cannot corrupt the answer",
            Self::Service => "the service answers every request and keeps answering",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id(), self.words())
    }
}

/// Whether a scenario must come to nothing, or must work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Attack,
    /// An allowed twin of an attack.
    Use,
}

/// How one scenario went; an error says why it is not simply right.
pub type Outcome = Result<(), Trouble>;

/// A scenario that takes its own course.
pub type Course<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// How a scenario is run.
#[derive(Clone, Copy)]
pub enum Drive {
    /// Scripts, one after the other, each judged.
    Scripts(fn(&Bench) -> Vec<Step>),
    /// Two scripts at the same time, the second a moment after the first.
    Together(fn(&Bench) -> [Step; 2]),
    /// Scripts that depend on one another.
    Course(for<'a> fn(&'a Bench) -> Course<'a>),
    /// Requests that only an HTTP front door can be sent.
    Http(for<'a> fn(&'a Bench) -> Course<'a>),
}

/// One script of a scenario.
#[derive(Clone)]
pub struct Step {
    pub program: String,
    pub fields: Value,
    pub timeout: f64,
    pub judge: Judge,
}

/// A step that makes its attempts and must achieve nothing.
pub fn step(program: &str) -> Step {
    Step { program: program.to_owned(), fields: json!({}), timeout: 25.0, judge: Judge::Refused }
}

impl Step {
    /// Asks the kernel itself, past what the service has put in the place of Python's calls.
    pub fn bare(mut self) -> Self {
        self.program.insert_str(0, program!("bare"));
        self
    }

    /// The arguments of the program's `main`.
    pub fn inputs(mut self, inputs: Value) -> Self {
        self.fields["inputs"] = inputs;
        self
    }

    /// Any other field of the request.
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.fields[name] = value;
        self
    }

    pub fn timeout(mut self, seconds: f64) -> Self {
        self.timeout = seconds;
        self
    }

    pub fn judge(mut self, judge: Judge) -> Self {
        self.judge = judge;
        self
    }

    /// The request's body.
    pub fn request(&self) -> Value {
        let mut request = self.fields.clone();
        request["script"] = Value::from(self.program.as_str());
        if request.get("timeout").is_none() {
            request["timeout"] = json!(self.timeout);
        }
        request
    }
}

/// One line of what is to be tried.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub promise: Promise,
    pub purpose: &'static str,
    pub kind: Kind,
    pub drive: Drive,
    /// A use that needs a new file, thread or process, which a sealed host cannot give.
    pub needs_resources: bool,
    /// Why a sealed host is not asked.
    pub not_sealed: Option<&'static str>,
    /// What it measures would be spoilt by a neighbour, or would spoil a neighbour's.
    pub alone: bool,
    /// It would hurt a machine on which nothing confines it.
    pub destructive: bool,
}

/// What must come to nothing.
pub fn attack(promise: Promise, name: &'static str, purpose: &'static str, drive: Drive) -> Scenario {
    let (needs_resources, not_sealed, alone, destructive) = (false, None, false, false);
    Scenario { name, promise, purpose, kind: Kind::Attack, drive, needs_resources, not_sealed, alone, destructive }
}

/// What must work.
pub fn twin(promise: Promise, name: &'static str, purpose: &'static str, drive: Drive) -> Scenario {
    Scenario { kind: Kind::Use, ..attack(promise, name, purpose, drive) }
}

impl Scenario {
    /// Two scripts at the same time need two places.
    pub fn runs_alone(&self) -> bool {
        self.alone || matches!(self.drive, Drive::Together(_))
    }

    pub fn needs_resources(self) -> Self {
        Self { needs_resources: true, ..self }
    }

    pub fn not_sealed(self, reason: &'static str) -> Self {
        Self { not_sealed: Some(reason), ..self }
    }

    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub fn destructive(self) -> Self {
        Self { destructive: true, ..self }
    }
}

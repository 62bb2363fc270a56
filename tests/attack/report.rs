//! What came of it, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::host::Host;
use super::judge::Trouble;
use super::scenario::{Kind, Outcome, Promise, Scenario};

/// What a scenario showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The attack came to nothing, or the use works.
    Good,
    /// The evidence that it did not.
    Broken(String),
    /// Why the question does not arise.
    NotApplicable(String),
}

/// A scenario and its verdict.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: &'static str,
    pub promise: Promise,
    pub purpose: &'static str,
    pub kind: Kind,
    pub verdict: Verdict,
    pub took: Duration,
}

impl Row {
    pub fn new(scenario: &Scenario, outcome: Outcome, took: Duration) -> Self {
        let verdict = match outcome {
            Ok(()) => Verdict::Good,
            Err(Trouble::Broken(evidence)) => Verdict::Broken(evidence),
            Err(Trouble::NotApplicable(reason)) => Verdict::NotApplicable(reason),
        };
        let Scenario { name, promise, purpose, kind, .. } = *scenario;
        Self { name, promise, purpose, kind, verdict, took }
    }

    /// The verdict in a word.
    pub fn word(&self) -> &'static str {
        match (&self.verdict, self.kind) {
            (Verdict::Good, Kind::Attack) => "held",
            (Verdict::Good, Kind::Use) => "works",
            (Verdict::Broken(_), _) => "BROKEN",
            (Verdict::NotApplicable(_), _) => "n/a",
        }
    }

    pub fn is_broken(&self) -> bool {
        matches!(self.verdict, Verdict::Broken(_))
    }

    fn evidence(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Good => None,
            Verdict::Broken(words) | Verdict::NotApplicable(words) => Some(words),
        }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "promise": self.promise.id(),
            "kind": if self.kind == Kind::Use { "use" } else { "attack" },
            "purpose": self.purpose,
            "verdict": self.word(),
            "evidence": self.evidence(),
            "seconds": self.took.as_secs_f64(),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, name, purpose) = (self.word(), self.name, self.purpose);
        write!(f, "  {word:<6}  {name:<29} {:>6.2} s  {purpose}", self.took.as_secs_f64())?;
        match &self.verdict {
            Verdict::Good => Ok(()),
            Verdict::NotApplicable(reason) => write!(f, " ({reason})"),
            Verdict::Broken(evidence) => write!(f, "\n          {}", evidence.replace('\n', "\n          ")),
        }
    }
}

/// All rows of a run.
#[derive(Debug, Clone)]
pub struct Report {
    pub host: Host,
    pub rows: Vec<Row>,
}

impl Report {
    pub fn new(host: Host, rows: Vec<Row>) -> Self {
        Self { host, rows }
    }

    /// Every attack held and every use works, and something was tried.
    pub fn is_good(&self) -> bool {
        !self.rows.is_empty() && self.broken().next().is_none()
    }

    pub fn broken(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.is_broken())
    }

    /// The row of a scenario that was run.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// Panics with the evidence unless the report is good.
    #[track_caller]
    pub fn assert_held(&self) {
        assert!(self.is_good(), "{self}");
    }

    /// A line for each scenario, and the host.
    pub fn json(&self) -> Value {
        json!({
            "good": self.is_good(),
            "python": self.host.python,
            "policy": self.host.policy,
            "mechanisms": self.host.mechanisms,
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        })
    }

    fn count(&self, word: &str) -> usize {
        self.rows.iter().filter(|row| row.word() == word).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for promise in Promise::ALL {
            let mut rows = self.rows.iter().filter(|row| row.promise == promise).peekable();
            if rows.peek().is_some() {
                writeln!(f, "{promise}")?;
            }
            for row in rows {
                writeln!(f, "{row}")?;
            }
        }
        let [held, broken, works, rest] = ["held", "BROKEN", "works", "n/a"].map(|word| self.count(word));
        writeln!(f, "attacks: {held} held, {broken} broken, {works} uses work, {rest} not applicable")
    }
}

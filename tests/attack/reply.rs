//! What came back.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use json_members::members;

#[allow(clippy::duplicate_mod, reason = "the suite is also a part of tests that have it already")]
#[path = "../support/json_members.rs"]
mod json_members;

/// An answer, the same from an HTTP front door and from a direct invocation.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// The body as it was on the wire.
    pub text: String,
    /// From the request's first byte to the answer's last.
    pub took: Duration,
    keys: Vec<String>,
    body: Value,
}

impl Reply {
    pub fn new(status: u16, body: &[u8], took: Duration) -> Self {
        let text = String::from_utf8_lossy(body).into_owned();
        let members = members(&text).unwrap_or_default();
        let keys = members.iter().map(|(key, _)| key.clone()).collect();
        let body = members.into_iter().map(|(key, value)| (key, decoded(&value))).collect();
        Self { status, text, took, keys, body }
    }

    /// The answer of a direct invocation, whose body alone says how it went.
    pub fn invoked(body: &[u8], took: Duration) -> Self {
        let mut reply = Self::new(500, body, took);
        reply.status = match reply.keys.first().map(String::as_str) {
            Some("result") => 200,
            Some("error") => 400,
            _ => 500,
        };
        reply
    }

    /// What `main` returned, of a success.
    pub fn result(&self) -> Option<&Value> {
        if self.status == 200 { self.body.get("result") } else { None }
    }

    /// What went wrong, of a failure.
    pub fn error(&self) -> Option<&str> {
        if self.status == 400 { self.body.get("error")?.as_str() } else { None }
    }

    pub fn stdout(&self) -> &str {
        self.body.get("stdout").and_then(Value::as_str).unwrap_or_default()
    }

    /// Fails unless this is a 200 or 400 with exactly its two members, each once.
    pub fn well_formed(&self) -> Result<(), String> {
        let first = match self.status {
            200 => "result",
            400 => "error",
            _ => return Err(format!("neither 200 nor 400: {self}")),
        };
        if self.keys != [first, "stdout"] {
            return Err(format!("not exactly `{first}` and `stdout`: {self}"));
        }
        if !self.body["stdout"].is_string() || (first == "error" && !self.body["error"].is_string()) {
            return Err(format!("a member has the wrong type: {self}"));
        }
        Ok(())
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.text.chars().take(300).collect();
        let cut = if shown.len() < self.text.len() { "..." } else { "" };
        write!(f, "{} {shown}{cut}", self.status)
    }
}

/// A value that is nested deeper than this program can hold stands for itself, as text.
fn decoded(value: &RawValue) -> Value {
    serde_json::from_str(value.get()).unwrap_or_else(|_| Value::from(value.get()))
}

//! What the service says of itself.

use py_executor::sandbox::{Mechanism, Promise};
use serde_json::Value;

use crate::support::Server;

/// The answer of `GET /health`.
pub struct Health(Value);

impl Health {
    pub async fn of(server: &Server) -> Self {
        let reply = server.get("/health").await;
        Self(serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {reply}")))
    }

    fn promise(&self, promise: Promise) -> &Value {
        let name = serde_json::to_value(promise).expect("a name");
        &self.0["promises"][name.as_str().expect("a name is text")]
    }

    pub fn is_kept(&self, promise: Promise) -> bool {
        self.promise(promise)["kept"].as_bool().unwrap_or_else(|| panic!("{promise:?} is missing: {self}"))
    }

    pub fn broken(&self) -> Vec<Promise> {
        Promise::ALL.into_iter().filter(|promise| !self.is_kept(*promise)).collect()
    }

    /// Whether a mechanism is said to serve a promise.
    pub fn is_served_by(&self, promise: Promise, mechanism: Mechanism) -> bool {
        let by = self.promise(promise)["by"].as_array().expect("a list");
        by.iter().any(|enforced| enforced["mechanism"] == mechanism.name())
    }

    /// Whether a mechanism is said to serve any promise.
    pub fn claims(&self, mechanism: Mechanism) -> bool {
        Promise::ALL.into_iter().any(|promise| self.is_served_by(promise, mechanism))
    }

    pub fn status(&self) -> &str {
        self.0["status"].as_str().expect("a text")
    }

    /// The mechanisms that the host is said to refuse, each with its step, reason and remedy.
    pub fn missing(&self) -> Vec<(Mechanism, String)> {
        let all = self.0["missing"].as_array().expect("a list").iter();
        all.map(|missing| {
            let text = |key: &str| missing[key].as_str().unwrap_or_default().to_owned();
            let mechanism = Mechanism::named(&text("mechanism")).expect("a mechanism");
            (mechanism, [text("step"), text("reason"), text("remedy")].join(": "))
        })
        .collect()
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

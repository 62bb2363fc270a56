//! A step that did not work, for a person to read.

use std::fmt;

pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Names the step whose result this is.
pub trait Attempt<T> {
    fn attempt(self, step: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Attempt<T> for Result<T, E> {
    fn attempt(self, step: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure(format!("{step}: {error}")))
    }
}

//! What really confines scripts on this host, promise by promise: for the operator, the log and `GET /health`.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::promise::{Promise, remove_with_dependents, select_mechanisms};
use super::{Mechanism, Mechanisms, Policy, SandboxError};

/// What to do where a promise cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    /// Refuse to start.
    Strict,
    /// Start, keep what can be kept, and say what is missing.
    Relaxed,
}

impl std::str::FromStr for PolicyMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "strict" => Ok(Self::Strict),
            "relaxed" => Ok(Self::Relaxed),
            _ => Err(()),
        }
    }
}

/// Something that is not as it was set, or as it is by default, because the host does not allow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adjustment {
    /// Name of the setting.
    pub setting: &'static str,
    pub wanted: String,
    pub used: String,
    pub reason: String,
}

/// How workers are locked in on this host, and what could not be had.
#[derive(Debug, Clone)]
pub struct IsolationReport {
    pub policy: Policy,
    strictness: PolicyMode,
    /// Mechanisms that the operator does not want.
    without: Mechanisms,
    /// Mechanisms that the host may offer, as far as is known.
    offered: Mechanisms,
    missing: Vec<SandboxError>,
    /// Settings that the host does not allow as they are.
    pub adjustments: Vec<Adjustment>,
}

impl IsolationReport {
    /// Before anything is known of the host: everything is wanted but what the operator does not.
    pub fn new(policy: Policy, strictness: PolicyMode, without: Mechanisms) -> Self {
        let mut offered = Mechanisms::from(Mechanism::ALL);
        for mechanism in &without {
            remove_with_dependents(&mut offered, *mechanism);
        }
        let mut posture = Self { policy, strictness, without, offered, missing: Vec::new(), adjustments: Vec::new() };
        posture.select();
        posture
    }

    /// Chooses without what the host has refused in one attempt. Gives an error back if it is about nothing that can be done
    /// without, or not for the first time.
    pub fn refused(&mut self, errors: Vec<SandboxError>) -> Result<(), SandboxError> {
        let tried = self.offered.clone();
        for error in errors {
            match error.mechanism {
                Some(mechanism) if self.offered.contains(&mechanism) => {
                    remove_with_dependents(&mut self.offered, mechanism);
                    self.missing.push(error);
                }
                // It needs another one that was refused in the same attempt, and was given up with that.
                Some(mechanism) if tried.contains(&mechanism) => {}
                _ => return Err(error),
            }
        }
        self.select();
        Ok(())
    }

    fn select(&mut self) {
        self.policy.mechanisms = select_mechanisms(&self.offered, &self.without);
    }

    /// The promises that are not kept, if the operator does not put up with that.
    pub fn unacceptable(&self) -> Vec<Promise> {
        match self.strictness {
            PolicyMode::Strict => self.broken(),
            PolicyMode::Relaxed => Vec::new(),
        }
    }

    /// The promises that are not kept.
    pub fn broken(&self) -> Vec<Promise> {
        Promise::ALL.into_iter().filter(|promise| !promise.is_kept(&self.policy.mechanisms)).collect()
    }

    /// Why a promise is not kept: what the host refused, or the operator did, that would serve it.
    pub fn reasons(&self, promise: Promise) -> String {
        let serves = |mechanism: &Mechanism| promise.explain(*mechanism).is_some();
        let refused = self.missing.iter().filter(|error| error.mechanism.as_ref().is_some_and(serves));
        let refused = refused.map(ToString::to_string);
        let unwanted = self.without.iter().filter(|mechanism| serves(mechanism));
        let unwanted = unwanted.map(|mechanism| format!("{mechanism} is switched off by EXECUTOR_DISABLED_MECHANISMS"));
        refused.chain(unwanted).collect::<Vec<_>>().join("; ")
    }

    /// The names of what enforces a promise, or that it is not kept.
    pub fn enforcers(&self, promise: Promise) -> String {
        if !promise.is_kept(&self.policy.mechanisms) {
            return "NOT KEPT".to_owned();
        }
        let serves = |mechanism: &&Mechanism| promise.explain(**mechanism).is_some();
        let names = self.policy.mechanisms.iter().filter(serves).map(|mechanism| mechanism.name());
        names.collect::<Vec<_>>().join(", ")
    }

    /// How many scripts may run at the same time, if the operator allows so many. Sealed ones could signal each other.
    pub fn concurrency(&self, allowed: usize) -> usize {
        if self.policy.has(Mechanism::Seal) { 1 } else { allowed }
    }

    /// Number of scripts that may run beyond those, for a caller that has none while another one has all places.
    pub fn spare(&self) -> usize {
        usize::from(!self.policy.has(Mechanism::Seal))
    }

    pub fn missing(&self) -> &[SandboxError] {
        &self.missing
    }

    pub fn strictness(&self) -> PolicyMode {
        self.strictness
    }
}

/// A mechanism in force, and how it serves a promise.
#[derive(Serialize)]
struct Enforced {
    mechanism: Mechanism,
    how: &'static str,
}

#[derive(Serialize)]
struct Kept {
    kept: bool,
    by: Vec<Enforced>,
}

#[derive(Serialize)]
struct Missing<'a> {
    mechanism: Option<Mechanism>,
    step: &'a str,
    reason: &'a str,
    remedy: &'a str,
}

impl Serialize for IsolationReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let missing: Vec<Missing<'_>> = self
            .missing
            .iter()
            .map(|error| Missing {
                mechanism: error.mechanism,
                step: &error.step,
                reason: &error.reason,
                remedy: error.remedy(),
            })
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("policy", &self.strictness)?;
        map.serialize_entry("promises", &Promises(&self.policy.mechanisms))?;
        map.serialize_entry("missing", &missing)?;
        map.serialize_entry("adjusted", &self.adjustments)?;
        map.serialize_entry("switched_off", &self.without)?;
        map.end()
    }
}

/// Every promise with what enforces it.
struct Promises<'a>(&'a Mechanisms);

impl Serialize for Promises<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Promise::ALL.iter().map(|promise| {
            let enforced =
                |mechanism: &Mechanism| promise.explain(*mechanism).map(|how| Enforced { mechanism: *mechanism, how });
            (promise, Kept { kept: promise.is_kept(self.0), by: self.0.iter().filter_map(enforced).collect() })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_done_without_once() {
        let refusal = |mechanism| SandboxError::at(mechanism, "probe")("no");
        let mut posture = IsolationReport::new(Policy::of(&[]), PolicyMode::Strict, Mechanisms::new());
        posture.refused(vec![refusal(Mechanism::Rlimits), refusal(Mechanism::Nproc)]).unwrap();
        assert!(!posture.policy.has(Mechanism::Rlimits) && !posture.policy.has(Mechanism::Nproc));
        assert_eq!(posture.missing().len(), 1, "the second is a consequence of the first");
        assert!(posture.refused(vec![refusal(Mechanism::Nproc)]).is_err(), "it was not tried any more");
        assert!(posture.refused(vec![SandboxError::fault("fork")("no")]).is_err());
    }
}

//! Reading settings: each is taken out of the variables, and what is wrong with it is noted.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use super::{ConfigError, SETTINGS};
use crate::access::key::{self, Key};
use crate::sandbox::{Mechanism, Mechanisms};

/// Takes variables out one by one and notes what is wrong with each.
pub struct Reader {
    variables: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Reader {
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        Self { variables, faults: Vec::new() }
    }

    /// Takes a setting that is given by its former name for the new one. Returns true if there was one.
    pub fn rename(&mut self, former: &str, name: &str) -> bool {
        let Some(value) = self.variables.remove(former) else { return false };
        if self.variables.contains_key(name) {
            self.faults.push(format!("{former} is a former name of {name}; both are set"));
            return false;
        }
        self.variables.insert(name.to_owned(), value);
        true
    }

    pub fn value<T: FromStr>(&mut self, name: &str, expected: &str, default: T) -> T {
        let Some(text) = self.variables.remove(name) else { return default };
        text.trim().parse().unwrap_or_else(|_| {
            self.faults.push(format!("{name} must be {expected}, not {text:?}"));
            default
        })
    }

    pub fn number(&mut self, name: &str, default: u64, range: std::ops::RangeInclusive<u64>) -> u64 {
        let expected = format!("a whole number between {} and {}", range.start(), range.end());
        let number = self.value(name, &expected, default);
        if range.contains(&number) {
            return number;
        }
        self.faults.push(format!("{name} must be {expected}, not {number}"));
        default
    }

    pub fn bytes(&mut self, name: &str, default: u64) -> usize {
        self.number(name, default, 1024..=1 << 30) as usize
    }

    /// None if it is empty.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.variables.remove(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// None if it is empty.
    pub fn optional<T: FromStr<Err: std::fmt::Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        text.parse().map_err(|error| self.faults.push(format!("{name}: {text:?}: {error}"))).ok()
    }

    pub fn keys(&mut self, name: &str) -> Vec<Key> {
        let text = self.text(name).unwrap_or_default();
        key::parse(&text).unwrap_or_else(|error| {
            self.faults.push(format!("{name}: {error}"));
            Vec::new()
        })
    }

    pub fn switch(&mut self, name: &str) -> bool {
        match self.variables.remove(name).as_deref().map(str::trim) {
            None | Some("off") => false,
            Some("on") => true,
            Some(other) => {
                self.faults.push(format!("{name} must be `on` or `off`, not {other:?}"));
                false
            }
        }
    }

    pub fn seconds(&mut self, name: &str, default: f64) -> Duration {
        const EXPECTED: &str = "a number of seconds, more than 0 and at most 3600";
        let seconds = self.value(name, EXPECTED, default);
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if !duration.is_zero() && seconds <= 3600.0 => duration,
            _ => {
                self.faults.push(format!("{name} must be {EXPECTED}, not {seconds}"));
                Duration::from_secs_f64(default)
            }
        }
    }

    pub fn mechanisms(&mut self, name: &str) -> Mechanisms {
        let text = self.variables.remove(name).unwrap_or_default();
        let mut mechanisms = Mechanisms::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let known = Mechanism::named(word);
            mechanisms.extend(known);
            if known.is_none() {
                let names = Mechanism::ALL.map(Mechanism::name).join(", ");
                self.faults.push(format!("{name}: {word:?} is not a mechanism; mechanisms: {names}"));
            }
        }
        mechanisms
    }

    pub fn modules(&mut self, name: &str, default: &str) -> Vec<String> {
        let text = self.variables.remove(name).unwrap_or_else(|| default.to_owned());
        let modules: Vec<String> =
            text.split(',').map(str::trim).filter(|module| !module.is_empty()).map(str::to_owned).collect();
        let identifier = |part: &str| {
            !part.starts_with(|c: char| c.is_ascii_digit())
                && !part.is_empty()
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        for module in modules.iter().filter(|module| !module.split('.').all(identifier)) {
            self.faults.push(format!("{name}: {module:?} is not the name of a module"));
        }
        modules
    }

    pub fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    pub fn finish(mut self) -> Result<(), ConfigError> {
        let unknown = |name: &String| {
            let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
            format!("unknown setting {name}; known settings: {}", known.join(", "))
        };
        self.faults.extend(self.variables.keys().map(unknown));
        if self.faults.is_empty() { Ok(()) } else { Err(ConfigError(self.faults)) }
    }
}

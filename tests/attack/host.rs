//! What a deployment says about its host.

use std::collections::BTreeSet;

use serde_json::Value;

/// The mechanisms that a service may name.
const MECHANISMS: [&str; 15] = [
    "namespaces",
    "root",
    "scratch",
    "descriptors",
    "environment",
    "rlimits",
    "nproc",
    "capabilities",
    "dumpable",
    "landlock",
    "seccomp",
    "seal",
    "sweep",
    "watchdog",
    "cgroup",
];

/// What `/health` told.
#[derive(Debug, Clone, Default)]
pub struct Host {
    pub python: String,
    pub policy: String,
    pub mechanisms: BTreeSet<&'static str>,
}

impl Host {
    pub fn read(health: &Value) -> Self {
        let text = |name: &str| health[name].as_str().unwrap_or("unknown").to_owned();
        let mut mechanisms = BTreeSet::new();
        collect(&health["promises"], &mut mechanisms);
        Self { python: text("python"), policy: text("policy"), mechanisms }
    }

    /// No file, socket, thread or process can be made by a script.
    pub fn sealed(&self) -> bool {
        self.mechanisms.contains("seal")
    }

    /// System calls are filtered.
    pub fn filtered(&self) -> bool {
        self.mechanisms.contains("seccomp")
    }

    /// Scripts have a root, processes and a scratch file system of their own.
    pub fn namespaces(&self) -> bool {
        self.mechanisms.contains("namespaces")
    }
}

/// Mechanisms are objects with a name, or, in an older form, lists of plain words.
fn collect(value: &Value, found: &mut BTreeSet<&'static str>) {
    match value {
        Value::Object(members) => match members.get("mechanism").and_then(Value::as_str) {
            Some(name) => found.extend(MECHANISMS.iter().filter(|known| **known == name)),
            None => members.values().for_each(|member| collect(member, found)),
        },
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::String(words) => {
            found.extend(MECHANISMS.iter().filter(|known| words.contains(known.trim_end_matches('s'))));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mechanisms_are_found_in_both_forms() {
        let new =
            json!({ "promises": { "bounded": { "kept": true, "by": [{ "mechanism": "seal", "how": "landlock" }] } } });
        assert_eq!(Host::read(&new).mechanisms, BTreeSet::from(["seal"]));
        let old = json!({ "promises": { "no_files": ["mount namespace", "landlock"] } });
        assert_eq!(Host::read(&old).mechanisms, BTreeSet::from(["namespaces", "landlock"]));
    }
}

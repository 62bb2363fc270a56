//! The service of these tests: an ordinary user's, so that nothing is hidden because root was left, with small limits.

use std::process::Command;

use py_executor::sandbox::{Mechanism, Mechanisms, join};

use crate::support::jail::{jail, wrapped};
use crate::support::server::command;

/// The name of a variable in its environment, and the value.
pub const MARKER: &str = "MARKER_OF_THE_SERVICE";

pub const OPEN_FILES: u64 = 64;

/// The machine itself, whose root the service leaves by itself.
pub const ROOT: &str = "root";

/// Starts without what takes long, and does one job after the other.
const VARIABLES: [(&str, &str); 6] = [
    (MARKER, MARKER),
    ("EXECUTOR_PRELOAD", ""),
    ("EXECUTOR_CONCURRENCY", "1"),
    ("EXECUTOR_MEMORY_MB", "128"),
    ("EXECUTOR_SCRATCH_MB", "32"),
    ("EXECUTOR_MAX_OPEN_FILES", "64"),
];

/// The command that starts it on a host (see tests/jail) without these mechanisms.
pub fn service(host: &str, policy: &str, without: &[Mechanism]) -> Command {
    let without = join(&without.iter().copied().collect::<Mechanisms>());
    let mut variables = VARIABLES.to_vec();
    variables.extend([("EXECUTOR_POLICY", policy), ("EXECUTOR_DISABLED_MECHANISMS", &without)]);
    let command = command(&variables);
    if host == ROOT { command } else { wrapped(&jail(host), &command) }
}

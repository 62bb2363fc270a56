//! Figures of a worker's process tree: what it used, what it used too much of, and how its first process ended.

use serde::{Deserialize, Serialize};

/// What processes have used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    pub cpu_us: u64,
    pub max_rss_bytes: u64,
}

/// What a process tree may use too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excess {
    Memory,
    Processes,
    Scratch,
}

/// How a worker's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Status(i32),
    Signal(i32),
}

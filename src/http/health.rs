//! `GET /health`: whether scripts can be run, and what confines them on this host.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::{Reply, Service};

#[derive(Serialize)]
struct Health {
    status: &'static str,
    python: Option<String>,
    promises: Promises,
}

/// What keeps each promise. The service does not start unless a worker was locked in by all of it.
#[derive(Serialize)]
struct Promises {
    no_network: [&'static str; 3],
    no_files: [&'static str; 4],
    no_other_processes: [&'static str; 4],
    no_secrets: [&'static str; 3],
    bounded: [&'static str; 5],
    nothing_left_behind: [&'static str; 2],
}

const PROMISES: Promises = Promises {
    no_network: ["network namespace", "seccomp", "landlock"],
    no_files: ["mount namespace", "read-only runtime as root", "private tmpfs scratch", "landlock"],
    no_other_processes: ["pid namespace", "user namespace", "not dumpable", "seccomp"],
    no_secrets: ["fixed environment", "closed descriptors", "service not dumpable"],
    bounded: ["wall clock", "rlimits", "tmpfs size", "memory watchdog", "output and result limits"],
    nothing_left_behind: ["pid, mount and ipc namespaces end with the worker", "a worker runs one job"],
};

pub async fn health(State(service): State<Arc<Service>>) -> Reply {
    let python = service.executor.python();
    let (code, status) = match python {
        Some(_) => (StatusCode::OK, "ok"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no script can be run at the moment"),
    };
    Reply::json(code, &Health { status, python, promises: PROMISES })
}

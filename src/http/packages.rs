//! `GET /v1/packages`: what scripts have to work with.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Refusals;
use super::{Reply, Service};
use crate::config::Config;
use crate::executor::Unavailable;
use crate::ipc::Package;

/// What scripts have to work with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Packages)]
struct Installed {
    /// Python's version.
    python: String,
    /// All that is installed besides the standard library.
    packages: Vec<Package>,
    limits: Limits,
}

/// The limits in force.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Limits {
    /// Wall-clock time of a script, seconds.
    timeout_seconds: f64,
    /// Memory of a script and all of its processes, MiB.
    memory_mb: u64,
    /// Processes and threads.
    processes: u64,
    /// Open files in a process.
    open_files: u64,
    /// Size of the working directory, MiB.
    scratch_mb: u64,
    /// Files and directories in it.
    scratch_files: u64,
    /// What is kept of standard output, and of standard error.
    stdout_bytes: usize,
    /// A result as JSON.
    result_bytes: usize,
    /// The body of a request.
    request_bytes: usize,
    /// Files in a request, and in an answer.
    files: usize,
    /// Their size together.
    file_bytes: usize,
}

impl Limits {
    pub fn new(config: &Config) -> Self {
        let policy = &config.policy;
        Self {
            timeout_seconds: config.timeout.as_secs_f64(),
            memory_mb: policy.memory_bytes >> 20,
            processes: policy.max_processes,
            open_files: policy.max_open_files,
            scratch_mb: policy.scratch_bytes >> 20,
            scratch_files: policy.scratch_inodes,
            stdout_bytes: config.max_stdout_bytes,
            result_bytes: config.max_result_bytes,
            request_bytes: config.max_request_bytes,
            files: config.max_files,
            file_bytes: config.max_file_bytes,
        }
    }
}

#[utoipa::path(
    get,
    path = "/v1/packages",
    tag = "service",
    summary = "What scripts have to work with",
    description = "Python's version, every package that is installed, and the limits in force.",
    responses(
        (status = 200, description = "What is here", body = Installed),
        Refusals,
    )
)]
pub async fn packages(State(service): State<Arc<Service>>) -> Reply {
    let Some(ready) = service.executor.ready() else {
        return Unavailable::Busy { retry: Duration::from_secs(1) }.into();
    };
    let installed = Installed { python: ready.python, packages: ready.packages, limits: service.told_limits };
    Reply::json(StatusCode::OK, &installed)
}

//! The log: one JSON object a line, on standard error.

use std::fmt::Display;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is `EXECUTOR_LOG`.
pub fn start(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}

/// The end of a program: says what went wrong, in words for whoever started it.
pub fn ended(result: Result<(), impl Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("py-executor: {error}");
            ExitCode::FAILURE
        }
    }
}

//! What the service says of itself: the log, one line per event on standard error, and [`metrics`].

mod line;
pub mod metrics;
pub mod summary;

use std::fmt::Display;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};
use line::Lines;

/// Starts logging.
pub fn start(config: &LogConfig) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let (lines, text) = match config.format {
        LogFormat::Text => (None, Some(tracing_subscriber::fmt::layer().compact().with_writer(std::io::stderr))),
        LogFormat::Json | LogFormat::CloudWatch | LogFormat::Google => (Some(Lines::new(config)), None),
    };
    tracing_subscriber::registry().with(filter).with(lines).with(text).init();
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

//! The composition root: what both front doors start, from the settings to what answers requests.

use std::sync::Arc;

use tracing::warn;

use crate::access::Access;
use crate::access::keys::FileError;
use crate::config::Config;
use crate::executor::{Executor, StartError};
use crate::http::Service;
use crate::sandbox::privileges::Installation;
use crate::telemetry::metrics::Metrics;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Keys(#[from] FileError),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Starts the executor, and what answers requests with it. Keeps API keys up to date from then on.
pub async fn start(config: &Config, installation: Installation) -> Result<Arc<Service>, AppError> {
    for (former, name) in &config.renamed {
        warn!(former, name, "a setting has a new name; the former one goes on working");
    }
    let access = Access::new(config.access.clone())?;
    let metrics = Arc::new(Metrics::new());
    let executor = Executor::start(config, installation, Arc::clone(&metrics)).await?;
    let service = Arc::new(Service::new(config, executor, access, metrics));
    let reading = Arc::clone(&service);
    tokio::spawn(async move { reading.access.keep_reading().await });
    Ok(service)
}

//! The front door of Cloud Run and of any other host: the Router behind a port.

mod activity;
mod connections;
mod frames;
mod health;

use std::future::Future;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::app::{self, AppError};
use crate::config::Config;
use crate::executor::reaper;
use crate::http::{self, Service};
use crate::sandbox::privileges::{self, Installation, PrepareError};
use crate::telemetry::{Telemetry, TelemetryError};
use crate::{sys, telemetry};
use connections::Connections;

/// The exit status after a second signal, as of a process that was ended by SIGINT.
const AT_ONCE: i32 = 130;

/// Within this time a job that has ended is answered.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

/// Why the server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("wrong settings:\n{0}")]
    Config(#[from] crate::config::ConfigError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Start(#[from] AppError),
    #[error(transparent)]
    Health(#[from] health::HealthError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// With this argument the program asks the service that runs beside it whether it is well, and serves nobody.
const HEALTH: &str = "health";

/// The whole program. Settings, port and privileges come first, while there is one thread: giving up root changes the
/// identity of one thread only, and a low port may need it.
pub fn run() -> Result<(), ServerError> {
    sys::keep_heap_compact();
    let config = Config::from_environment()?;
    let address = (config.host, config.port).into();
    let listener = TcpListener::bind(address).map_err(|source| ServerError::Listen { address, source })?;
    let installation = privileges::give_up(&config.runtime, &config.without)?;
    // It may start threads, and is dropped last.
    let _telemetry = Telemetry::start(&config.log)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let shutdown = shutdown_signal()?;
        serve(config, listener, installation, shutdown).await
    })
}

/// For `main`: runs the program and says what went wrong.
pub fn main() -> ExitCode {
    let only_asks = std::env::args_os().skip(1).eq([HEALTH]);
    telemetry::ended(if only_asks { ask() } else { run() })
}

fn ask() -> Result<(), ServerError> {
    let config = Config::from_environment()?;
    Ok(health::ask(&config)?)
}

/// Serves on `listener` until `shutdown` comes, then lets what runs finish within the grace period.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    installation: Installation,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServerError> {
    tokio::spawn(reaper::run());
    let service = app::start(&config, installation).await?;
    if !service.access.wants_keys() && !config.host.is_loopback() {
        warn!("no API key is wanted: whoever reaches this address can run scripts, unless the platform asks who it is");
    }
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    info!(address = %listener.local_addr()?, "listening");
    let connections = Connections::new(http::router(Arc::clone(&service)), &config, Arc::clone(&service.metrics));
    accept(connections, listener, config.grace, &service, shutdown).await;
    service.executor.stop().await;
    info!("stopped");
    Ok(())
}

async fn accept(
    connections: Connections,
    listener: tokio::net::TcpListener,
    grace: Duration,
    service: &Arc<Service>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let serving = connections.serve(listener, stopping.subscribe());
    let stop = async {
        shutdown.await;
        info!("shutting down");
        stopping.send_replace(true);
        let end = tokio::time::Instant::now() + grace;
        let drained = tokio::time::timeout_at(end, service.executor.drain()).await;
        if drained.is_err() {
            warn!("scripts were still running at the end of the grace period");
            service.executor.cancel();
        }
        // A moment for the last answers to be made; connections without a request are not waited for.
        tokio::time::sleep(LAST_ANSWERS).await;
        // Clients that read more slowly have what is left of the grace period.
        let _ = tokio::time::timeout_at(end, service.answers_are_read()).await;
    };
    tokio::select! {
        () = serving => {
            // All connections have ended.
            let _ = stopped.wait_for(|stopping| *stopping).await;
        }
        () = stop => {}
    }
}

/// Resolves at the first SIGTERM or SIGINT. A second one ends the process at once.
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            warn!("a second signal: ending at once");
            std::process::exit(AT_ONCE);
        });
    })
}

//! The HTTP interface: one Router for both front doors, one file per endpoint. Status codes are known here only.

mod access_log;
mod auth;
mod backpressure;
mod body;
mod check;
pub mod client_addr;
mod docs;
mod execute;
mod health;
pub mod id;
mod index;
mod metrics;
mod packages;
mod reply;
mod run;
mod run_response;
pub mod schema;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::{Router, middleware};
use tokio::sync::Semaphore;
use tracing::{Instrument, info_span};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Access, Caller};
use crate::config::{Config, LogConfig};
use crate::executor::{Executor, Subscriber, Turn, Unavailable};
use crate::job::{Form, Job, Limits};
use crate::outcome::Outcome;
use crate::telemetry::metrics::{Metrics, Vitals};
use access_log::RequestLog;
pub use reply::{Reply, ReplyLimit};

/// Bodies above this size, bytes, take longer to parse than others should wait.
const LARGE_BODY: usize = 64 << 10;

/// What the endpoints work with.
pub struct Service {
    pub executor: Executor,
    pub access: Access,
    pub metrics: Arc<Metrics>,
    log: LogConfig,
    limits: Limits,
    told_limits: packages::Limits,
    bodies: body::Reader,
    /// TrackedChunk while a large body is parsed.
    parsing: Arc<Semaphore>,
    unread: backpressure::PendingBytes,
    /// As many starts of zygotes as have been told of in the log.
    starts_told: AtomicU64,
}

/// When the front door's own patience with a request ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// The time until then, in tenths of a second, as scripts are told how long they had.
    fn left(self) -> Duration {
        let left = self.0.saturating_duration_since(Instant::now());
        Duration::from_millis(left.as_millis() as u64 / 100 * 100)
    }
}

/// A job that somebody wants to be run.
struct PendingJob {
    job: Job,
    caller: Caller,
    record: Arc<RequestLog>,
    /// The front door's limit on the answer.
    limit: Option<ReplyLimit>,
    /// The front door's limit on the time.
    deadline: Option<Deadline>,
    /// The body's place in the account of all bodies.
    _held: Box<dyn Send + Sync>,
}

impl Service {
    pub fn new(config: &Config, executor: Executor, access: Access, metrics: Arc<Metrics>) -> Self {
        Self {
            executor,
            access,
            metrics,
            log: config.log.clone(),
            limits: Limits {
                timeout: config.timeout,
                max_files: config.max_files,
                max_file_bytes: config.max_file_bytes,
            },
            told_limits: packages::Limits::new(config),
            bodies: body::Reader::new(config.max_request_bytes),
            parsing: Arc::new(Semaphore::new(1)),
            unread: backpressure::PendingBytes::default(),
            starts_told: AtomicU64::new(0),
        }
    }

    /// Reads a request.
    async fn call(&self, mut request: Request<Body>, form: Form) -> Result<PendingJob, Reply> {
        let extensions = request.extensions_mut();
        let (Some(caller), Some(record)) = (extensions.remove::<Caller>(), extensions.remove::<Arc<RequestLog>>())
        else {
            return Err(Reply::fault());
        };
        let (limit, deadline) = (extensions.remove::<ReplyLimit>(), extensions.remove::<Deadline>());
        let body = self.bodies.read(request).instrument(info_span!("read")).await?;
        let timeout = caller.timeout.map_or(self.limits.timeout, |timeout| timeout.min(self.limits.timeout));
        let (bytes, held) = body.split();
        let size = bytes.len();
        let job = self.parse(bytes, form, Limits { timeout, ..self.limits }).await?;
        let job = match deadline {
            Some(deadline) => job.within(deadline.left()),
            None => job,
        };
        record.job(&job, size);
        Ok(PendingJob { job, caller, record, limit, deadline, _held: Box::new(held) })
    }

    /// Parses a body. Large ones are parsed one at a time, beside the threads that serve all callers.
    async fn parse(&self, body: Vec<u8>, form: Form, limits: Limits) -> Result<Job, Reply> {
        let parsed = if body.len() > LARGE_BODY {
            let turn = Arc::clone(&self.parsing).acquire_owned().await;
            let parse = move || {
                // Also of a client that goes away meanwhile.
                let _turn = turn;
                Job::parse(&body, form, limits)
            };
            tokio::task::spawn_blocking(parse).await.map_err(|_| Reply::fault())?
        } else {
            Job::parse(&body, form, limits)
        };
        parsed.map_err(|error| Reply::error(StatusCode::BAD_REQUEST, &error.to_string()))
    }

    /// Runs a job to its end. `on_turn` is called when its turn has come; `subscriber` gets what the job prints.
    async fn run(
        &self,
        call: &PendingJob,
        on_turn: impl FnOnce(),
        subscriber: Option<&Subscriber>,
    ) -> Result<Outcome, Unavailable> {
        let ended = async {
            let turn = self.turn(call).await?;
            on_turn();
            self.executor.run_in_turn(&call.job, turn, subscriber).await
        };
        call.record.report(ended.await)
    }

    /// Waits for a caller's turn. While too many answers are unread it is not waited for, and does not come either.
    async fn turn(&self, call: &PendingJob) -> Result<Turn, Unavailable> {
        self.unread.check()?;
        let latest = call.deadline.map(|deadline| deadline.0.into());
        let turn = self.executor.turn(&call.caller, &call.job, latest).await?;
        self.unread.check().map(|()| turn)
    }

    /// Waits until clients have read all answers.
    pub async fn answers_are_read(&self) {
        const LOOK: Duration = Duration::from_millis(20);
        while self.unread.bytes() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How the service is doing.
    fn vitals(&self) -> Vitals {
        Vitals { unread_bytes: self.unread.bytes(), ..self.executor.vitals() }
    }

    /// How many zygotes have come up since this was asked last.
    fn zygote_starts(&self) -> u64 {
        let starts = self.metrics.zygote_starts();
        starts.saturating_sub(self.starts_told.swap(starts, Ordering::Relaxed))
    }
}

/// The one Router.
pub fn router(service: Arc<Service>) -> Router {
    let (guarded, described) = OpenApiRouter::new()
        .routes(routes!(execute::execute))
        .routes(routes!(run::run))
        .routes(routes!(check::check))
        .routes(routes!(packages::packages))
        .routes(routes!(metrics::metrics))
        .split_for_parts();
    let guarded = guarded.route_layer(middleware::from_fn_with_state(Arc::clone(&service), auth::authenticate));
    let (router, mut description) = OpenApiRouter::with_openapi(docs::Api::openapi())
        .routes(routes!(index::index))
        .routes(routes!(health::health))
        .split_for_parts();
    description.merge(docs::with_keys(described, service.access.wants_keys()));
    docs::tell_limits(&mut description, service.limits);
    router
        .merge(guarded)
        .merge(docs::router(&description))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&service), access_log::log_requests))
        .layer(middleware::from_fn(id::identify))
        .with_state(service)
}

async fn not_found(request: Request<Body>) -> Reply {
    let message = format!("there is nothing at {}; GET / lists the endpoints", request.uri().path());
    body::drain(request.into_body()).await;
    Reply::error(StatusCode::NOT_FOUND, &message)
}

/// The Router adds the `Allow` header.
async fn method_not_allowed(request: Request<Body>) -> Reply {
    let message = format!("{} is not allowed at {}", request.method(), request.uri().path());
    body::drain(request.into_body()).await;
    Reply::error(StatusCode::METHOD_NOT_ALLOWED, &message)
}

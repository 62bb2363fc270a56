//! What is noted of a request while it is answered: when the last part of the answer has left, or its client is gone, it
//! becomes a line of the log and a few more counts.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::header::USER_AGENT;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tracing::Span;

use super::Service;
use super::client_addr::{self, WriteTracker};
use super::id::{InvocationId, RequestId, Trace};
use crate::access::Caller;
use crate::executor::{Finished, Unavailable};
use crate::job::Job;
use crate::outcome::Outcome;
use crate::sandbox::usage::Used;
use crate::telemetry;
use crate::telemetry::metrics::Phase;
use crate::telemetry::summary::{JobSummary, Summary, beginning, name};

/// Asked by probes, scrapers and browsers.
const ROUTINE: [&str; 5] = ["/", "/health", "/metrics", "/docs", "/openapi.json"];

/// What Nginx logs for a request whose client went away.
const CLIENT_GONE: u16 = 499;

/// What is noted of one request. It is told when this is dropped.
pub struct RequestLog {
    service: Arc<Service>,
    begun: Instant,
    told: Mutex<Summary>,
}

impl RequestLog {
    fn new(service: Arc<Service>, request: &Request) -> Self {
        let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
        let header = |name| request.headers().get(name)?.to_str().ok();
        let summary = Summary {
            id: RequestId::current().to_string(),
            invocation: request.extensions().get::<InvocationId>().map(|id| id.0.clone()),
            trace: request.extensions().get::<Trace>().map(|trace| trace.0.clone()),
            method: name(request.method().as_str()),
            endpoint: path.to_owned(),
            status: None,
            key: None,
            client: client_addr::address(request, service.access.proxies()),
            user_agent: header(USER_AGENT).map(name),
            request_bytes: 0,
            response_bytes: 0,
            total: Duration::ZERO,
            job: None,
            is_routine: ROUTINE.contains(&path) || path.starts_with("/docs/"),
        };
        Self { service, begun: Instant::now(), told: Mutex::new(summary) }
    }

    /// Where the request comes from.
    pub fn client(&self) -> Option<IpAddr> {
        self.told().client
    }

    /// Who asks.
    pub fn caller(&self, caller: &Caller) {
        self.told().key = caller.key().map(str::to_owned);
    }

    /// A job has been read. Unless more is heard, its client went away.
    pub fn job(&self, job: &Job, bytes: usize) {
        let mut told = self.told();
        told.request_bytes = bytes;
        let read = self.begun.elapsed();
        self.service.metrics.phase(Phase::Read, read);
        let mut summary = JobSummary { outcome: "cancelled", read, ..JobSummary::default() };
        if self.service.log.scripts {
            summary.texts.push(("script", beginning(job.script())));
        }
        told.job = Some(summary);
    }

    /// How the job ended, or why it did not begin.
    pub fn report(self: &Arc<Self>, ended: Result<Finished, Unavailable>) -> Result<Outcome, Unavailable> {
        if let Some(job) = &mut self.told().job {
            match &ended {
                Err(reason) => job.outcome = reason.as_str(),
                Ok(finished) => self.outcome(job, &finished.outcome),
            }
        }
        let Finished { outcome, late_usage } = ended?;
        if let Some(used) = late_usage {
            // The answer does not wait for this, the line does.
            tokio::spawn(Arc::clone(self).wait_for(used));
        }
        Ok(outcome)
    }

    fn outcome(&self, job: &mut JobSummary, outcome: &Outcome) {
        job.outcome = outcome.ending.status().as_str();
        job.usage = Some(outcome.usage);
        job.stdout_bytes = outcome.stdout.bytes();
        job.stderr_bytes = outcome.stderr.bytes();
        if self.service.log.scripts {
            job.texts.push(("stdout", beginning(&outcome.stdout.text)));
            job.texts.push(("stderr", beginning(&outcome.stderr.text)));
        }
        self.service.metrics.phase(Phase::Queue, outcome.usage.queue);
        self.service.metrics.phase(Phase::Run, outcome.usage.wall);
    }

    async fn wait_for(self: Arc<Self>, used: oneshot::Receiver<Used>) {
        let Ok(used) = used.await else { return };
        if let Some(usage) = self.told().job.as_mut().and_then(|job| job.usage.as_mut()) {
            usage.add(used);
        }
    }

    fn told(&self) -> MutexGuard<'_, Summary> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of the answer is on its way.
    fn part(&self, bytes: Bytes, until_sent: Option<&WriteTracker>) -> Bytes {
        self.told().response_bytes += bytes.len();
        self.service.unread.hold(bytes, until_sent.map(WriteTracker::part))
    }

    /// The answer has been sent, as far as this is for the service to say.
    fn sent(&self) {
        let mut told = self.told();
        told.total = self.begun.elapsed();
        let status = told.status.unwrap_or(CLIENT_GONE);
        self.service.metrics.answered(&told.endpoint, status, told.total);
        if let Some(job) = &told.job {
            self.service.metrics.job_ended(&told.endpoint, job.outcome);
        }
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        let service = Arc::clone(&self.service);
        let state = || (service.vitals(), service.zygote_starts());
        let told = self.told();
        if told.total.is_zero() {
            drop(told);
            // Nobody waited for the answer.
            self.sent();
            return self.told().log(&service.log, state);
        }
        told.log(&service.log, state);
    }
}

/// Notes what there is to note of a request.
pub async fn log_requests(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let record = Arc::new(RequestLog::new(service, &request));
    request.extensions_mut().insert(Arc::clone(&record));
    let until_sent = request.extensions_mut().remove::<WriteTracker>();
    let is_sent = request.method() != Method::HEAD;
    let response = next.run(request).await;
    let status = response.status().as_u16();
    record.told().status = Some(status);
    telemetry::describe_span(&Span::current(), &record.told(), status);
    response.map(|body| Body::new(LoggedBody { body, is_sent, kept: Some((record, until_sent)) }))
}

/// A body on its way.
struct LoggedBody {
    body: Body,
    /// That of an answer to HEAD is dropped.
    is_sent: bool,
    /// Until its end.
    kept: Option<(Arc<RequestLog>, Option<WriteTracker>)>,
}

impl HttpBody for LoggedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let frame = frame.map(|frame| frame.map(|frame| frame.map_data(|bytes| self.part(bytes))));
        if frame.is_none() || self.body.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl LoggedBody {
    fn part(&self, bytes: Bytes) -> Bytes {
        match &self.kept {
            Some((record, until_sent)) => record.part(bytes, until_sent.as_ref()),
            None => bytes,
        }
    }

    fn end(&mut self) {
        if let Some((record, _)) = self.kept.take() {
            record.sent();
        }
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        if self.is_sent
            && !self.body.is_end_stream()
            && let Some((record, _)) = &self.kept
        {
            // The client went away in the middle of it.
            record.told().status = None;
        }
        self.end();
    }
}

//! The same as a stream of events, sent as they come (server-sent events, HTML living standard 9.2).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::backpressure::Reserved;
use super::id::{self, RequestId};
use super::{PendingJob, Reply, ReplyLimit, Service, run_response};
use crate::executor::{Stream, Subscriber, Unavailable};
use crate::outcome::Outcome;

/// More bytes than the names and line breaks of three events.
const FRAMES: usize = 256;

/// How often something is sent when there is nothing to say, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Runs a job and answers with its events. Who goes away ends the job.
///
/// The answer begins when the job has its turn: until then it can still be refused.
pub async fn answer(service: Arc<Service>, call: PendingJob) -> Result<Response, Reply> {
    let limit = call.limit;
    let (begun, has_begun) = oneshot::channel();
    let subscriber = Arc::new(Subscriber::default());
    let mut task = JoinSet::new();
    let id = RequestId::current();
    let running = run_job(service, call, Arc::clone(&subscriber), begun);
    task.spawn(id::in_scope(id.clone(), running).in_current_span());
    if has_begun.await.is_err() {
        return Err(joined(&mut task).await.result.err().map_or_else(Reply::fault, Reply::from));
    }
    let events = Events { subscriber, task, id, ended: None, is_over: false };
    match limit {
        None => Ok(respond(events)),
        Some(limit) => events.collect(limit).await,
    }
}

async fn run_job(
    service: Arc<Service>,
    call: PendingJob,
    subscriber: Arc<Subscriber>,
    begun: oneshot::Sender<()>,
) -> Ended {
    // If nobody waits for it, the client has gone away.
    let on_turn = || {
        let _ = begun.send(());
    };
    let result = service.run(&call, on_turn, Some(&subscriber)).await;
    let reserved = result.as_ref().ok().map(|outcome| service.unread.reserve(outcome.bytes()));
    Ended { result, _reserved: reserved }
}

/// How a job ended. It is told when its client has taken what was printed, and counts as unread until then.
struct Ended {
    result: Result<Outcome, Unavailable>,
    _reserved: Option<Reserved>,
}

/// A panic is a fault of ours, as everywhere.
async fn joined(task: &mut JoinSet<Ended>) -> Ended {
    let fault = || Ended { result: Err(Unavailable::Fault), _reserved: None };
    task.join_next().await.and_then(Result::ok).unwrap_or_else(fault)
}

/// What happens to a job. The job is ended when this is dropped.
struct Events {
    subscriber: Arc<Subscriber>,
    task: JoinSet<Ended>,
    id: RequestId,
    /// How it ended, until that is told.
    ended: Option<Ended>,
    is_over: bool,
}

/// One of the things that happen.
enum Happening {
    Printed(Stream, String),
    Ended(Result<Box<Outcome>, Unavailable>),
}

impl Events {
    async fn next(&mut self) -> Option<Happening> {
        if self.is_over {
            return None;
        }
        if self.ended.is_none() {
            tokio::select! {
                biased;
                (stream, text) = self.subscriber.wait_for_chunk() => return Some(Happening::Printed(stream, text)),
                ended = joined(&mut self.task) => self.ended = Some(ended),
            }
        }
        // The last words may have come while the end was waited for.
        if let Some((stream, text)) = self.subscriber.next_chunk() {
            return Some(Happening::Printed(stream, text));
        }
        self.is_over = true;
        self.ended.take().map(|ended| Happening::Ended(ended.result.map(Box::new)))
    }

    async fn next_event(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let event = match self.next().await? {
            Happening::Printed(stream, text) => printed(stream, &text),
            Happening::Ended(Ok(outcome)) => {
                let id = self.id.clone();
                event("outcome", &id::in_scope(id, async { run_response::reply(&outcome, None) }).await)
            }
            Happening::Ended(Err(reason)) => event("error", &Reply::from(reason)),
        };
        Some((Ok(event), self))
    }

    /// All events in one body, for a front door that takes nothing else. What is printed comes in one piece where it would
    /// not fit otherwise.
    async fn collect(mut self, limit: ReplyLimit) -> Result<Response, Reply> {
        let mut printed_events = Vec::new();
        let outcome = loop {
            match self.next().await {
                Some(Happening::Printed(stream, text)) => printed_events.push((stream, text)),
                Some(Happening::Ended(Ok(outcome))) => break outcome,
                Some(Happening::Ended(Err(reason))) => return Err(reason.into()),
                None => return Err(Reply::fault()),
            }
        };
        let printed: String = printed_events.iter().map(|(stream, text)| line(name(*stream), &json(text))).collect();
        let body = id::in_scope(self.id, async { together(&outcome, printed, limit) }).await;
        Ok(with_headers(Reply::events(body).timed(outcome.usage).into_response()))
    }
}

/// The events of an outcome, as much of them as there is room for.
fn together(outcome: &Outcome, printed: String, limit: ReplyLimit) -> String {
    let whole = printed + &line("outcome", &run_response::reply(outcome, None).text());
    if limit.size_of(whole.as_bytes()) <= limit.bytes {
        return whole;
    }
    // What was printed is in the body twice.
    let without = run_response::size_without_streams(outcome, limit);
    let half = ReplyLimit { bytes: without + limit.bytes.saturating_sub(without + FRAMES) / 2, ..limit };
    let fitted = run_response::fit(outcome, half);
    let streams = [(Stream::Stdout, &fitted.stdout), (Stream::Stderr, &fitted.stderr)];
    let printed: String = streams.into_iter().map(|(stream, text)| line(name(stream), &json(text))).collect();
    printed + &line("outcome", &fitted.reply.text())
}

fn respond(events: Events) -> Response {
    let events = stream::unfold(events, Events::next_event);
    with_headers(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// Nobody on the way is to keep events back (nginx, X-Accel-Buffering).
fn with_headers(mut response: Response) -> Response {
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn printed(stream: Stream, text: &str) -> Event {
    Event::default().event(name(stream)).data(json(text))
}

fn event(kind: &str, reply: &Reply) -> Event {
    Event::default().event(kind).data(reply.text())
}

fn line(kind: &str, data: &str) -> String {
    format!("event: {kind}\ndata: {data}\n\n")
}

fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

/// In an event's data a line break would end the line, and a carriage return would be lost.
fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

//! The front door of AWS Lambda: HTTP events of every kind go to the Router; anything else is a direct invoke, whose
//! payload is the request itself and whose answer is the body itself.

pub mod event;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use axum::{Extension, Router};
use http_body_util::BodyExt;
use lambda_http::{Adapter, Error, StreamAdapter};
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::{FunctionResponse, LambdaEvent, Runtime, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use tower::ServiceExt;
use tower::util::MapFutureLayer;

use crate::config::Config;
use crate::http::client_addr::{ClientAddr, PreAuthorized};
use crate::http::id::InvocationId;
use crate::http::{self, Deadline, ReplyLimit, Service};
use crate::sandbox::privileges;
use crate::telemetry::Telemetry;
use crate::{app, sys, telemetry};
use event::Event;

/// Lambda takes 6 MiB of a synchronous invocation's answer. What an event's answer has besides its body, headers and
/// the like, is far below the difference.
const MAX_REPLY_BYTES: usize = (6 << 20) - (16 << 10);

/// What Lambda ends has no answer, and costs a new environment: a script is ended this long before that.
const TIME_TO_ANSWER: Duration = Duration::from_secs(2);

/// For `main`: runs the program and says what went wrong.
pub fn main() -> ExitCode {
    telemetry::ended(run())
}

/// The whole program. Privileges are given up while there is one thread.
fn run() -> Result<(), Error> {
    sys::keep_heap_compact();
    let config = Config::from_environment()?;
    let installation = privileges::give_up(&config.runtime, &config.without)?;
    let telemetry = Arc::new(Telemetry::start(&config.log)?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let service = app::start(&config, installation).await?;
        serve(http::router(Arc::clone(&service)), service, telemetry, config.stream).await
    })
}

/// Takes invocations until the environment ends.
async fn serve(router: Router, service: Arc<Service>, telemetry: Arc<Telemetry>, stream: bool) -> Result<(), Error> {
    // The environment may be frozen as soon as the next invocation is asked for: until then the answer is on its way
    // already, and what the next script will need is made.
    let settle = MapFutureLayer::new(move |answered| {
        let (service, telemetry) = (Arc::clone(&service), Arc::clone(&telemetry));
        async move {
            let result = answered.await;
            service.executor.settled().await;
            let _ = tokio::task::spawn_blocking(move || telemetry.flush()).await;
            result
        }
    });
    // `lambda_http::run` knows HTTP events only; its pass-through for others parses the answer again, which changes
    // large numbers and loses what is nested deeply. So events are told apart here.
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let invocation = InvocationId(event.context.request_id.clone());
        let mut router = router.clone().layer(Extension(invocation));
        if let Some(deadline) = deadline(event.context.deadline()) {
            router = router.layer(Extension(deadline));
        }
        async move {
            let LambdaEvent { payload, context } = event;
            let request = match event::read(&payload)? {
                Event::Http(request) => *request,
                Event::Direct(request) => {
                    return Ok(FunctionResponse::BufferedResponse(Answer::Direct(invoke(router, request).await?)));
                }
            };
            let router = match event::source(&request) {
                Some(source) => router.layer(Extension(ClientAddr(source))),
                None => router,
            };
            if stream && event::can_be_streamed(&request) {
                let event = LambdaEvent { payload: request, context };
                return Ok(FunctionResponse::StreamingResponse(StreamAdapter::from(router).oneshot(event).await?));
            }
            let router = router.layer(Extension(ReplyLimit { bytes: MAX_REPLY_BYTES, in_string: true }));
            let event = LambdaEvent { payload: request, context };
            Ok::<_, Error>(FunctionResponse::BufferedResponse(Answer::Http(
                Adapter::from(router).oneshot(event).await?,
            )))
        }
    });
    Runtime::new(handler).layer(TracingLayer::new()).layer(settle).run().await
}

/// When a script has to have ended, because the function's own timeout ends then. A time that is over is none: cargo lambda
/// says so of all invocations.
fn deadline(timeout: SystemTime) -> Option<Deadline> {
    let left = timeout.duration_since(SystemTime::now()).ok()?;
    Some(Deadline(Instant::now() + left.saturating_sub(TIME_TO_ANSWER)))
}

/// The answer to an invocation.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<R> {
    Http(R),
    Direct(Box<RawValue>),
}

async fn invoke(router: Router, payload: &RawValue) -> Result<Box<RawValue>, Error> {
    let request = Request::post("/execute")
        .header(CONTENT_TYPE, "application/json")
        .extension(ReplyLimit { bytes: MAX_REPLY_BYTES, in_string: false })
        .extension(PreAuthorized)
        .body(Body::from(payload.get().to_owned()))?;
    let body = router.oneshot(request).await?.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}

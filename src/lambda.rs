//! The front door of AWS Lambda: HTTP events of every kind go to the Router; anything else is a direct invoke, whose
//! payload is the request itself and whose answer is the body itself.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tower::ServiceExt;

use crate::config::Config;
use crate::executor::Executor;
use crate::http::{self, Service};
use crate::sandbox::privileges;
use crate::telemetry;

/// Lambda takes 6 MiB of a synchronous invocation's answer. What an event's answer has besides its body, headers and
/// the like, is far below the difference.
const MAX_REPLY_BYTES: usize = (6 << 20) - (16 << 10);

/// For `main`: runs the program and says what went wrong.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("py-executor: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole program. Privileges are given up while there is one thread.
fn run() -> Result<(), Error> {
    let config = Config::from_environment()?;
    telemetry::start(&config.log)?;
    let installation = privileges::give_up(&config.runtime)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let executor = Executor::start(&config, installation).await?;
        let service = Arc::new(Service::new(&config, executor, Some(MAX_REPLY_BYTES)));
        serve(http::router(service)).await
    })
}

/// Takes invocations until the environment ends.
async fn serve(router: Router) -> Result<(), Error> {
    // `lambda_http::run` knows HTTP events only; its pass-through for others parses the answer again, which changes
    // large numbers and loses what is nested deeply. So events are told apart here.
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let router = router.clone();
        async move {
            let LambdaEvent { payload, context } = event;
            if is_http(&payload) {
                let request: LambdaRequest = serde_json::from_str(payload.get())?;
                let event = LambdaEvent { payload: request, context };
                let response = Adapter::from(router).oneshot(event).await?;
                Ok::<_, Error>(Answer::Http(serde_json::value::to_raw_value(&response)?))
            } else {
                Ok(Answer::Direct(invoke(router, &payload).await?))
            }
        }
    }))
    .await
}

/// Every HTTP event says where the request came from; a request to the service itself has no such field.
fn is_http(payload: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Event {
        #[serde(rename = "requestContext")]
        request_context: Option<IgnoredAny>,
    }
    serde_json::from_str::<Event>(payload.get()).is_ok_and(|event| event.request_context.is_some())
}

/// The answer to an invocation.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Http(Box<RawValue>),
    Direct(Box<RawValue>),
}

async fn invoke(router: Router, payload: &RawValue) -> Result<Box<RawValue>, Error> {
    let request = Request::post("/execute")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(payload.get().to_owned()))?;
    let body = router.oneshot(request).await?.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}

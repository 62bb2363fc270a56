//! `POST /execute`: runs a script. Its two bodies are frozen.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Reply, Service, body};
use crate::executor::Unavailable;
use crate::job::Job;
use crate::outcome::{Ending, Failure, Outcome};

#[derive(Serialize)]
struct Success<'a> {
    result: &'a RawValue,
    stdout: &'a str,
}

pub async fn execute(State(service): State<Arc<Service>>, request: Request<Body>) -> Reply {
    answer(&service, request).await.unwrap_or_else(|refused| refused)
}

async fn answer(service: &Service, request: Request<Body>) -> Result<Reply, Reply> {
    let body = body::read(request, service.max_request_bytes).await?;
    let job =
        Job::parse(&body, service.limits).map_err(|error| Reply::error(StatusCode::BAD_REQUEST, &error.to_string()))?;
    let outcome = service.executor.run(&job).await.map_err(unavailable)?;
    Ok(respond(&outcome, service))
}

fn respond(outcome: &Outcome, service: &Service) -> Reply {
    let Outcome { ending, stdout, .. } = outcome;
    let reply = match ending {
        Ending::Returned(result) => Reply::json(StatusCode::OK, &Success { result, stdout }),
        Ending::Failed(failure) => Reply::failure(StatusCode::BAD_REQUEST, &failure.to_string(), stdout),
    };
    let Some(limit) = service.max_reply_bytes else { return reply };
    if reply.encoded_bytes() <= limit {
        return reply;
    }
    let too_large = Failure::ResultTooLarge { limit: service.max_result_bytes.min(limit) }.to_string();
    let error = match ending {
        Ending::Returned(_) => too_large,
        Ending::Failed(failure) => failure.to_string(),
    };
    Reply::failure_within(StatusCode::BAD_REQUEST, &error, stdout, limit)
}

fn unavailable(reason: Unavailable) -> Reply {
    let message = reason.to_string();
    match reason {
        Unavailable::Busy | Unavailable::Lost => Reply::error(StatusCode::SERVICE_UNAVAILABLE, &message).retry_after(1),
        Unavailable::ShuttingDown => Reply::error(StatusCode::SERVICE_UNAVAILABLE, &message).retry_after(5),
        Unavailable::Fault => Reply::fault(),
    }
}

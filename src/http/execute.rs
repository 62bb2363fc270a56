//! `POST /execute`: runs a script. Its two bodies are frozen.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Reply, ReplyLimit, Service};
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
    let limit = request.extensions().get::<ReplyLimit>().copied();
    let body = service.bodies.read(request).await?;
    let job = Job::parse(&body.bytes, service.limits)
        .map_err(|error| Reply::error(StatusCode::BAD_REQUEST, &error.to_string()))?;
    // The job has its own copy; what it holds stays in the account of bodies.
    let _held = body.forget_bytes();
    let outcome = service.executor.run(&job).await.map_err(unavailable)?;
    Ok(match limit {
        None => respond(&outcome.ending, &outcome.stdout),
        Some(limit) => respond_within(&outcome, limit),
    })
}

fn respond(ending: &Ending, stdout: &str) -> Reply {
    match ending {
        Ending::Returned(result) => Reply::json(StatusCode::OK, &Success { result, stdout }),
        Ending::Failed(failure) => Reply::failure(StatusCode::BAD_REQUEST, &failure.to_string(), stdout),
    }
}

/// Output gives way to the result; a result that does not fit even alone is an error.
fn respond_within(outcome: &Outcome, limit: ReplyLimit) -> Reply {
    let Outcome { ending, stdout, .. } = outcome;
    let whole = respond(ending, stdout);
    if whole.fits(limit) {
        return whole;
    }
    if let Some(room) = respond(ending, "").room(limit) {
        return respond(ending, &limit.shorten(stdout, room));
    }
    let too_large = Ending::Failed(Failure::ResultTooLarge { limit: limit.bytes });
    let room = respond(&too_large, "").room(limit).unwrap_or(0);
    let with_output = respond(&too_large, stdout);
    if with_output.fits(limit) { with_output } else { respond(&too_large, &limit.shorten(stdout, room)) }
}

fn unavailable(reason: Unavailable) -> Reply {
    let message = reason.to_string();
    match reason {
        Unavailable::Busy | Unavailable::Lost => Reply::error(StatusCode::SERVICE_UNAVAILABLE, &message).retry_after(1),
        Unavailable::ShuttingDown => Reply::error(StatusCode::SERVICE_UNAVAILABLE, &message).retry_after(5),
        Unavailable::Fault => Reply::fault(),
    }
}

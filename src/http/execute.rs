//! `POST /execute`: runs a script. Its two bodies are frozen.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::schema::{ExecuteRequest, Identity, Refusals};
use super::{Reply, ReplyLimit, Service};
use crate::job::Form;
use crate::outcome::{Ending, Failure, Outcome};

/// What a script returned and printed.
#[derive(Serialize, ToSchema)]
struct Success<'a> {
    #[schema(value_type = serde_json::Value)]
    result: &'a RawValue,
    stdout: &'a str,
}

#[utoipa::path(
    post,
    path = "/execute",
    tag = "scripts",
    summary = "Run a script",
    description = "Answers with what `main()` returned and what the script printed. These two bodies are frozen.",
    params(Identity),
    request_body = ExecuteRequest,
    responses(
        (status = 200, description = "`main()` returned this value", body = Success, headers(
            ("x-request-id" = String, description = "The request's id"),
            ("server-timing" = String, description = "How long the job waited for its turn and ran"),
        )),
        Refusals,
    )
)]
pub async fn execute(State(service): State<Arc<Service>>, request: Request<Body>) -> Reply {
    answer(&service, request).await.unwrap_or_else(|refused| refused)
}

async fn answer(service: &Service, request: Request<Body>) -> Result<Reply, Reply> {
    let call = service.call(request, Form::Execute).await?;
    let outcome = service.run(&call, || {}, None).await?;
    let reply = match call.limit {
        None => respond(&outcome.ending, &outcome.stdout.text),
        Some(limit) => respond_within(&outcome, limit),
    };
    Ok(reply.timed(outcome.usage))
}

fn respond(ending: &Ending, stdout: &str) -> Reply {
    match ending {
        Ending::Returned(result) => Reply::json(StatusCode::OK, &Success { result, stdout }),
        // The executor takes it for an answer only where it was asked for.
        Ending::Checked(_) => respond(&Ending::Failed(Failure::Tampered), stdout),
        Ending::Failed(failure) => Reply::failure(StatusCode::BAD_REQUEST, &failure.to_string(), stdout),
    }
}

/// Output gives way to the result; a result that does not fit even alone is an error.
fn respond_within(outcome: &Outcome, limit: ReplyLimit) -> Reply {
    let (ending, stdout) = (&outcome.ending, &outcome.stdout.text);
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

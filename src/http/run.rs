//! `POST /v1/run`: runs a script and tells all there is to tell. A script's failure is data here, answered with 200.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse, Response};

use super::run_response::{self, RunReply};
use super::schema::{Identity, Refusals, RunRequest};
use super::{Reply, Service, stream};
use crate::job::Form;

#[utoipa::path(
    post,
    path = "/v1/run",
    tag = "scripts",
    summary = "Run a script, and be told everything",
    description = "Answers 200 whenever the script ran, however it ended. With `Accept: text/event-stream` the answer is a \
                   stream of events: `stdout` and `stderr` with a JSON string as they appear, then one `outcome` with the \
                   object.",
    params(Identity),
    request_body = RunRequest,
    responses(
        (status = 200, description = "The script ran", content(
            (RunReply<'static> = "application/json"),
            (String = "text/event-stream"),
        ), headers(
            ("x-request-id" = String, description = "The request's id"),
            ("server-timing" = String, description = "How long the job waited for its turn and ran"),
        )),
        Refusals,
    )
)]
pub async fn run(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
    answer(service, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(service: Arc<Service>, request: Request<Body>) -> Result<Response, Reply> {
    let is_stream = wants_events(request.headers());
    let call = service.call(request, Form::Run).await?;
    if is_stream {
        return stream::answer(service, call).await;
    }
    let outcome = service.run(&call, || {}, None).await?;
    Ok(run_response::reply(&outcome, call.limit).timed(outcome.usage).into_response())
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_wanted = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"));
        // With a weight of zero it is what is not wanted (RFC 9110, 12.4.2).
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_wanted && weight != Some(0.0)
    })
}

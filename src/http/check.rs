//! `POST /v1/check`: looks at a script without running it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};

use super::schema::{CheckRequest, Identity, Refusals};
use super::{Reply, Service};
use crate::ipc::Checked;
use crate::job::Form;
use crate::outcome::Ending;

#[utoipa::path(
    post,
    path = "/v1/check",
    tag = "scripts",
    summary = "Look at a script without running it",
    description = "Says whether it compiles, whether it has a `main` and with which parameters, and whether the modules that \
                   it imports are here.",
    params(Identity),
    request_body = CheckRequest,
    responses(
        (status = 200, description = "What was found out", body = Checked, headers(
            ("x-request-id" = String, description = "The request's id"),
            ("server-timing" = String, description = "How long the job waited for its turn and ran"),
        )),
        Refusals,
    )
)]
pub async fn check(State(service): State<Arc<Service>>, request: Request<Body>) -> Reply {
    answer(&service, request).await.unwrap_or_else(|refused| refused)
}

async fn answer(service: &Service, request: Request<Body>) -> Result<Reply, Reply> {
    let call = service.call(request, Form::Check).await?;
    let outcome = service.run(&call, || {}, None).await?;
    Ok(match &outcome.ending {
        Ending::Checked(checked) => Reply::json(StatusCode::OK, checked).timed(outcome.usage),
        Ending::Failed(failure) => Reply::error(StatusCode::BAD_REQUEST, &failure.to_string()),
        // The executor takes it for an answer only where it was asked for.
        Ending::Returned(_) => Reply::fault(),
    })
}

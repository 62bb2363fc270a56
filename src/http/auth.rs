//! Lets in whoever may ask: with an API key, where keys are wanted, and no more often than the caller's rate.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access_log::RequestLog;
use super::client_addr::PreAuthorized;
use super::{Reply, Service, body};
use crate::access::rates::Standing;
use crate::access::{Caller, Id, Refused};

/// Where a key may be, besides `Authorization: Bearer`, which may have to hold a token for the platform (Cloud Run hands it on).
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// RateLimit header fields for HTTP, draft 03 to 07 of the IETF: what clients know of today.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Lets a request through with its [`Caller`], or not.
pub async fn authenticate(
    State(service): State<Arc<Service>>,
    Extension(record): Extension<Arc<RequestLog>>,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = if request.extensions().get::<PreAuthorized>().is_some() {
        Ok((Caller::new(Id::Others), None))
    } else {
        service.access.admit(presented(request.headers()), record.client())
    };
    match admitted {
        Ok((caller, standing)) => {
            record.caller(&caller);
            request.extensions_mut().insert(caller);
            let mut response = next.run(request).await;
            if let Some(standing) = standing {
                tell(standing, response.headers_mut());
            }
            response
        }
        Err(refused) => {
            body::drain(request.into_body()).await;
            refuse(refused)
        }
    }
}

fn refuse(refused: Refused) -> Response {
    match refused {
        Refused::NoKey => {
            let message = "an API key is needed: `Authorization: Bearer ...` or `X-Api-Key: ...`";
            let mut response = Reply::error(StatusCode::UNAUTHORIZED, message).into_response();
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        Refused::TooOften(standing) => {
            let seconds = seconds(standing.wait).max(1);
            let message = format!("too many requests; the next one is taken in {seconds} s");
            let reply = Reply::error(StatusCode::TOO_MANY_REQUESTS, &message).retry_after(seconds);
            let mut response = reply.into_response();
            tell(standing, response.headers_mut());
            response
        }
    }
}

fn tell(standing: Standing, headers: &mut HeaderMap) {
    headers.insert(LIMIT, standing.limit.into());
    headers.insert(REMAINING, standing.remaining.into());
    headers.insert(RESET, seconds(standing.reset).into());
}

/// Rounded up: whoever waits so long has waited long enough.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = || {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    };
    let header = || headers.get(API_KEY)?.to_str().ok();
    let is_there = |key: &&str| !key.is_empty();
    header().filter(is_there).or_else(|| bearer().filter(is_there))
}

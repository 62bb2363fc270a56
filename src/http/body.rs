//! A request's body, bounded, and of a type that is meant for us.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::Reply;

/// How much of a body that is too large is read before its connection is closed.
const MAX_FORGOTTEN_BYTES: usize = 64 << 20;
const MAX_FORGETTING: Duration = Duration::from_secs(5);

/// Reads a JSON body of at most `limit` bytes.
pub async fn read(request: Request<Body>, limit: usize) -> Result<Bytes, Reply> {
    check_type(request.headers())?;
    // A body that says by itself that it is too large is not kept at all.
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut body = request.into_body();
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(refuse(&mut body, limit).await);
    }
    match Limited::new(&mut body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(refuse(&mut body, limit).await),
        Err(_) => Err(Reply::error(StatusCode::BAD_REQUEST, "request body ended before it was complete")),
    }
}

/// Most clients read an answer only when they have sent their body, so what is still to come is read and forgotten, up
/// to a point.
async fn refuse(body: &mut Body, limit: usize) -> Reply {
    let mut left = MAX_FORGOTTEN_BYTES;
    let forget = async {
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(bytes) else { return };
            left = rest;
        }
    };
    // A client that is slower than this has had its time.
    let _ = tokio::time::timeout(MAX_FORGETTING, forget).await;
    Reply::error(StatusCode::PAYLOAD_TOO_LARGE, &format!("request body is larger than {limit} bytes"))
}

/// A declared type must be JSON: a web page can make a browser send any other type to a service on the user's own
/// machine or network without asking first (simple requests of the Fetch standard).
fn check_type(headers: &HeaderMap) -> Result<(), Reply> {
    let Some(declared) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let declared = declared.to_str().unwrap_or("?");
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json"
        || essence == "text/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json {
        return Ok(());
    }
    let message = format!("content type must be application/json, not {declared:?}");
    Err(Reply::error(StatusCode::BAD_REQUEST, &message))
}

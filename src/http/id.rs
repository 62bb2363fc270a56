//! Every request has an id: the caller's own, that of the Lambda invocation, that of the trace which it belongs to, or a
//! new one. The answer has it in `X-Request-Id`, and so has each line that is logged meanwhile.

use std::fmt;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use crate::telemetry;

/// The header in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// W3C Trace Context, level 1.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const CLOUD_TRACE: HeaderName = HeaderName::from_static("x-cloud-trace-context");

const MAX_LENGTH: usize = 128;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of a request. It has no character that would have to be escaped anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

/// The id that a front door has given to a request. Comes with it, as an extension.
#[derive(Debug, Clone)]
pub struct InvocationId(pub String);

impl RequestId {
    /// That of the request which is being answered.
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_else(|_| Self::random())
    }

    fn of(request: &Request) -> Self {
        let headers = request.headers();
        let own = headers.get(REQUEST_ID).and_then(|value| Self::checked(value.to_str().ok()?));
        let invocation = || request.extensions().get::<InvocationId>().and_then(|id| Self::checked(&id.0));
        own.or_else(invocation).or_else(|| trace(headers).map(Self)).unwrap_or_else(Self::random)
    }

    fn checked(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:=+/@~".contains(&byte);
        let is_right = !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(is_plain);
        is_right.then(|| Self(text.to_owned()))
    }

    fn random() -> Self {
        let mut random = [0; 16];
        // Without randomness an id is of little use, but a request is not refused for that.
        let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
        Self(format!("{:032x}", u128::from_ne_bytes(random)))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of the trace that a request belongs to.
fn trace(headers: &HeaderMap) -> Option<String> {
    w3c_trace(headers).or_else(|| google_trace(headers))
}

/// `<trace id>/<span id>;o=<flags>`, from Google's load balancers.
fn google_trace(headers: &HeaderMap) -> Option<String> {
    let trace = headers.get(CLOUD_TRACE)?.to_str().ok()?.split(['/', ';']).next()?;
    is_hex(trace, 32).then(|| trace.to_owned())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// `00-<trace id>-<parent id>-<flags>`.
fn w3c_trace(headers: &HeaderMap) -> Option<String> {
    let mut fields = headers.get(TRACEPARENT)?.to_str().ok()?.split('-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_right = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    // Later versions may have more fields.
    let is_known = version != "ff" && (version != "00" || fields.next().is_none());
    (is_right && is_known && !is_zero(trace) && !is_zero(parent)).then(|| trace.to_owned())
}

/// The trace that a request belongs to. Comes with it, as an extension.
#[derive(Debug, Clone)]
pub struct Trace(pub String);

/// Answers a request under its id.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    let span = info_span!("request", request_id = %id, trace_id = Empty, otel.kind = "server");
    if let Some(trace) = telemetry::follow_trace(&span, request.headers(), trace(request.headers())) {
        request.extensions_mut().insert(Trace(trace));
    }
    let header = HeaderValue::from_str(&id.0);
    let mut response = in_scope(id, next.run(request).instrument(span)).await;
    if let Ok(value) = header {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Runs a part of the answer under its request's id.
pub async fn in_scope<F: Future>(id: RequestId, part: F) -> F::Output {
    CURRENT.scope(id, part).await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn id(headers: &[(&str, &str)], invocation: Option<&str>) -> String {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(id) = invocation {
            request = request.extension(InvocationId(id.to_owned()));
        }
        RequestId::of(&request.body(Body::empty()).expect("a request")).to_string()
    }

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_callers_own_id_comes_first() {
        let both = [("x-request-id", "job-17"), ("traceparent", TRACE)];
        assert_eq!(id(&both, Some("8476a536-e9f4")), "job-17");
        assert_eq!(id(&both[1..], Some("8476a536-e9f4")), "8476a536-e9f4");
        assert_eq!(id(&both[1..], None), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn what_is_no_id_is_replaced() {
        for wrong in ["", "a b", "\"", "é", "<script>", &"x".repeat(129)] {
            let new = id(&[("x-request-id", wrong)], None);
            assert!(new.len() == 32 && new != id(&[], None), "{wrong}: {new}");
        }
        for wrong in
            ["", "00", &TRACE.to_uppercase(), &TRACE.replace("00-", "ff-"), &TRACE[..54], &format!("{TRACE}-1")]
        {
            assert_eq!(id(&[("traceparent", wrong)], None).len(), 32);
            assert_ne!(id(&[("traceparent", wrong)], None), "4bf92f3577b34da6a3ce929d0e0e4736", "{wrong}");
        }
    }
}

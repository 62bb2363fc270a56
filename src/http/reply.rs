//! What goes back: a status and a JSON body.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::error;

use super::id::RequestId;
use crate::executor::Unavailable;
use crate::outcome::Usage;

/// However long the queue is, seconds.
const MAX_RETRY: u64 = 60;

/// Until a service that can make no worker tries again by itself, seconds.
const NO_WORKER_RETRY: u64 = 5;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A response to be.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
    retry_after: Option<u64>,
    timing: Option<Usage>,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a str,
    stdout: &'a str,
}

impl Reply {
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::new(status, "application/json", body),
            Err(error) => {
                error!(%error, "a response could not be encoded");
                Self::fault()
            }
        }
    }

    /// Events, all at once.
    pub fn events(body: String) -> Self {
        Self::new(StatusCode::OK, "text/event-stream", body.into_bytes())
    }

    fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, body, retry_after: None, timing: None }
    }

    /// A script's failure, with what it printed.
    pub fn failure(status: StatusCode, error: &str, stdout: &str) -> Self {
        Self::json(status, &Failed { error, stdout })
    }

    /// An error where nothing ran.
    pub fn error(status: StatusCode, error: &str) -> Self {
        Self::failure(status, error, "")
    }

    /// A fault of the service. The log has the cause under the same id.
    pub fn fault() -> Self {
        let id = RequestId::current();
        error!(%id, "a request was answered with 500");
        let body = serde_json::json!({ "error": format!("internal error; request id {id}"), "stdout": "" });
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "application/json", body.to_string().into_bytes())
    }

    /// In how many seconds it is worth to try again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Tells how long the job took.
    pub fn timed(mut self, usage: Usage) -> Self {
        self.timing = Some(usage);
        self
    }

    /// The body.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Whether the front door takes it.
    pub fn fits(&self, limit: ReplyLimit) -> bool {
        self.room(limit).is_some()
    }

    /// How many bytes more the front door would take.
    pub fn room(&self, limit: ReplyLimit) -> Option<usize> {
        limit.bytes.checked_sub(self.size(limit))
    }

    /// How many bytes it takes at the front door.
    pub fn size(&self, limit: ReplyLimit) -> usize {
        limit.size_of(&self.body)
    }
}

impl From<Unavailable> for Reply {
    fn from(reason: Unavailable) -> Self {
        let unavailable = || Self::error(StatusCode::SERVICE_UNAVAILABLE, &reason.to_string());
        match reason {
            Unavailable::Busy { retry } => unavailable().retry_after(retry.as_secs().clamp(1, MAX_RETRY)),
            Unavailable::NoWorker => unavailable().retry_after(NO_WORKER_RETRY),
            Unavailable::Lost => unavailable().retry_after(1),
            Unavailable::ShuttingDown => unavailable().retry_after(5),
            Unavailable::Fault => Self::fault(),
        }
    }
}

/// A front door's limit on a body. Comes with a request, as an extension.
#[derive(Debug, Clone, Copy)]
pub struct ReplyLimit {
    pub bytes: usize,
    /// Whether the body travels as a string inside of another JSON document.
    pub in_string: bool,
}

impl ReplyLimit {
    /// How many bytes a body takes.
    pub fn size_of(self, body: &[u8]) -> usize {
        if !self.in_string {
            return body.len();
        }
        // A body is JSON, or lines of it, so quotes, backslashes and line breaks are all that has to be escaped.
        let special = |byte: &&u8| matches!(byte, b'"' | b'\\' | b'\n');
        body.len() + body.iter().filter(special).count() + 2
    }

    /// The text, shortened if it would add more than `room` bytes to a body.
    pub fn shorten_if_needed(self, text: &str, room: usize) -> String {
        let bytes: usize = text.chars().map(|character| self.bytes_of(character)).sum();
        if bytes <= room { text.to_owned() } else { self.shorten(text, room) }
    }

    /// As much of the beginning of `text` as adds at most `room` bytes to a body, with a line that says how much is
    /// missing.
    pub fn shorten(self, text: &str, room: usize) -> String {
        const MARKER: usize = 64;
        let mut left = room.saturating_sub(MARKER);
        let fits = |(_, character): &(usize, char)| {
            let bytes = self.bytes_of(*character);
            let fits = bytes <= left;
            left -= if fits { bytes } else { left };
            fits
        };
        let kept = text.char_indices().take_while(fits).last().map_or(0, |(at, last)| at + last.len_utf8());
        format!("{}\n... {} bytes left out ...\n", &text[..kept], text.len() - kept)
    }

    fn bytes_of(self, character: char) -> usize {
        let (bytes, escapes) = match character {
            '"' | '\\' => (2, 2),
            '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => (2, 1),
            '\0'..' ' => (6, 1),
            other => (other.len_utf8(), 0),
        };
        if self.in_string { bytes + escapes } else { bytes }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(value) = self.timing.and_then(server_timing) {
            response.headers_mut().insert(SERVER_TIMING, value);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Milliseconds that a job waited for its turn and that it ran (W3C Server Timing).
fn server_timing(usage: Usage) -> Option<HeaderValue> {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let text = format!("queue;dur={:.3}, run;dur={:.3}", milliseconds(usage.queue), milliseconds(usage.wall));
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shortened_fits_and_uses_the_room(text in "[a-c\\x00-\\x1f\"\\\\é😀]{0,400}", bytes in 200usize..2000, in_string: bool) {
            let limit = ReplyLimit { bytes, in_string };
            let reply = |stdout: &str| Reply::failure(StatusCode::BAD_REQUEST, "e", stdout);
            let room = reply("").room(limit).expect("200 bytes are enough for an empty reply");
            let whole = reply(&text);
            let encoded = if in_string { serde_json::to_vec(&String::from_utf8_lossy(&whole.body)).expect("text") } else { whole.body.clone() };
            prop_assert_eq!(whole.fits(limit), encoded.len() <= bytes);
            if !whole.fits(limit) {
                let shortened = limit.shorten(&text, room);
                prop_assert!(reply(&shortened).fits(limit));
                prop_assert!(reply(&shortened).room(limit) < Some(80));
            }
        }
    }
}

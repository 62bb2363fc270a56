//! What goes back: a status and a JSON body.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::error;

/// A response to be.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    body: Vec<u8>,
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a str,
    stdout: &'a str,
}

impl Reply {
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self { status, body, retry_after: None },
            Err(error) => {
                error!(%error, "a response could not be encoded");
                Self::fault()
            }
        }
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
        static FAULTS: AtomicU64 = AtomicU64::new(1);
        let id = format!("{:x}-{}", std::process::id(), FAULTS.fetch_add(1, Ordering::Relaxed));
        error!(id, "a request was answered with 500");
        let message = format!("internal error; request id {id}");
        let body = serde_json::json!({ "error": message, "stdout": "" }).to_string().into_bytes();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, body, retry_after: None }
    }

    /// In how many seconds it is worth to try again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Whether the front door takes it.
    pub fn fits(&self, limit: ReplyLimit) -> bool {
        self.room(limit).is_some()
    }

    /// How many bytes more the front door would take.
    pub fn room(&self, limit: ReplyLimit) -> Option<usize> {
        // The body is JSON, so quotes and backslashes are all that it has to be escaped.
        let special = |byte: &&u8| matches!(byte, b'"' | b'\\');
        let escapes = if limit.in_string { self.body.iter().filter(special).count() + 2 } else { 0 };
        limit.bytes.checked_sub(self.body.len() + escapes)
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
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
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

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

    /// A failure whose reply must fit `limit` bytes: of its output, as much of the beginning as fits is kept.
    pub fn failure_within(status: StatusCode, error: &str, stdout: &str, limit: usize) -> Self {
        let mut kept = stdout.len();
        loop {
            while !stdout.is_char_boundary(kept) {
                kept -= 1;
            }
            let left_out = stdout.len() - kept;
            let marked = match left_out {
                0 => stdout.to_owned(),
                _ => format!("{}\n... {left_out} bytes left out ...\n", &stdout[..kept]),
            };
            let reply = Self::failure(status, error, &marked);
            if reply.encoded_bytes() <= limit || kept == 0 {
                return reply;
            }
            kept /= 2;
        }
    }

    /// In how many seconds it is worth to try again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The body's size as a JSON string inside of a JSON document, which is how Lambda passes it on.
    pub fn encoded_bytes(&self) -> usize {
        let escaped = |byte: &u8| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0..0x20 => 6,
            _ => 1,
        };
        self.body.iter().map(escaped).sum::<usize>() + 2
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

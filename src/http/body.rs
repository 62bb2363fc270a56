//! A request's body: bounded in size, time and, all together, in memory; and of a type that is meant for us.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Reply;

/// What all bodies together may take, if that is at least [`LARGE_BODIES`] of the largest ones: those that arrive, and
/// those of jobs that wait or run.
const MEMORY: usize = 64 << 20;
const LARGE_BODIES: usize = 8;

/// The account's unit, bytes.
const UNIT: usize = 1 << 10;

/// A body must arrive within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of a refused request's body is read before its connection is closed, and for how long.
const MAX_FORGOTTEN_BYTES: usize = 64 << 20;
const MAX_FORGETTING: Duration = Duration::from_secs(5);

/// Reads bodies.
pub struct Reader {
    limit: usize,
    memory: Arc<Semaphore>,
}

/// A body, and its place in the account of all bodies.
pub struct Received {
    bytes: Vec<u8>,
    held: Vec<OwnedSemaphorePermit>,
}

impl Received {
    /// The bytes, and what keeps their place in the account as long as it is there.
    pub fn split(self) -> (Vec<u8>, impl Send + Sync + 'static) {
        (self.bytes, self.held)
    }
}

impl Reader {
    /// For bodies of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let memory = MEMORY.max(limit.saturating_mul(LARGE_BODIES));
        Self { limit, memory: Arc::new(Semaphore::new(memory / UNIT)) }
    }

    /// Reads a JSON body.
    pub async fn read(&self, request: Request<Body>) -> Result<Received, Reply> {
        let (head, mut body) = request.into_parts();
        let received = match self.check(&head.headers) {
            Ok(()) => tokio::time::timeout(PATIENCE, self.collect(&mut body)).await.unwrap_or_else(|_| {
                let message = format!("request body did not arrive within {} s", PATIENCE.as_secs());
                Err(Reply::error(StatusCode::BAD_REQUEST, &message))
            }),
            Err(reply) => Err(reply),
        };
        if received.is_err() {
            drain(body).await;
        }
        received
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Reply> {
        check_type(headers)?;
        // A body that says by itself that it is too large is not kept at all.
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.limit as u64) { Err(self.too_large()) } else { Ok(()) }
    }

    fn too_large(&self) -> Reply {
        Reply::error(StatusCode::PAYLOAD_TOO_LARGE, &format!("request body is larger than {} bytes", self.limit))
    }

    async fn collect(&self, body: &mut Body) -> Result<Received, Reply> {
        let (mut bytes, mut held) = (Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let incomplete = |_| Reply::error(StatusCode::BAD_REQUEST, "request body ended before it was complete");
            let Ok(more) = frame.map_err(incomplete)?.into_data() else { continue };
            if bytes.len() + more.len() > self.limit {
                return Err(self.too_large());
            }
            let units = u32::try_from(more.len() / UNIT + 1).unwrap_or(u32::MAX);
            held.push(Arc::clone(&self.memory).try_acquire_many_owned(units).map_err(|_| {
                Reply::error(StatusCode::SERVICE_UNAVAILABLE, "too many requests are under way").retry_after(1)
            })?);
            // At once, so that no body is in memory twice. A large vector grows without being copied (mremap(2)).
            bytes.extend_from_slice(&more);
        }
        Ok(Received { bytes, held })
    }
}

/// Reads what is still to come of the body of a request that is refused, and drops it, up to a point: most clients read
/// an answer only when they have sent their body.
pub async fn drain(mut body: Body) {
    let mut left = MAX_FORGOTTEN_BYTES;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(bytes) else { return };
            left = less;
        }
    };
    // A client that is slower than this has had its time.
    let _ = tokio::time::timeout(MAX_FORGETTING, rest).await;
}

/// A declared type must be JSON: a web page can make a browser send any other type, or none, to a service on the user's
/// own machine or network without asking first (simple requests of the Fetch standard). A request without a type is
/// taken for one of a program, unless a browser says where it comes from.
fn check_type(headers: &HeaderMap) -> Result<(), Reply> {
    let refuse = |declared: &str| {
        let message = format!("content type must be application/json, not {declared}");
        Err(Reply::error(StatusCode::BAD_REQUEST, &message))
    };
    let Some(declared) = headers.get(CONTENT_TYPE) else {
        return if headers.contains_key(ORIGIN) { refuse("missing") } else { Ok(()) };
    };
    let declared = declared.to_str().unwrap_or("?");
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json"
        || essence == "text/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json { Ok(()) } else { refuse(&format!("{declared:?}")) }
}

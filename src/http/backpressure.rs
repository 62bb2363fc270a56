//! Answers that clients have not read yet lie in memory. They are counted until the last byte has left, and no job is begun
//! while there are too many of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::client_addr::PendingWrite;
use crate::executor::Unavailable;

/// How much may lie there when a job is begun, bytes.
const MAX_BYTES: usize = 128 << 20;

/// How soon there may be less.
const RETRY: Duration = Duration::from_secs(5);

/// What there is of answers.
#[derive(Clone, Default)]
pub struct PendingBytes(Arc<AtomicUsize>);

/// A part of an answer. It is kept by the connection until it is written.
struct TrackedChunk {
    part: Bytes,
    account: PendingBytes,
    _unwritten: Option<PendingWrite>,
}

/// An answer that is not on its way yet.
pub struct Reserved {
    bytes: usize,
    account: PendingBytes,
}

impl PendingBytes {
    /// Counts a part of an answer as long as it is there.
    pub fn hold(&self, part: Bytes, unwritten: Option<PendingWrite>) -> Bytes {
        self.0.fetch_add(part.len(), Ordering::Relaxed);
        Bytes::from_owner(TrackedChunk { part, account: self.clone(), _unwritten: unwritten })
    }

    /// Counts an answer that waits for its client to take what comes before it.
    pub fn reserve(&self, bytes: usize) -> Reserved {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Reserved { bytes, account: self.clone() }
    }

    /// Whether there is room for one more answer.
    pub fn check(&self) -> Result<(), Unavailable> {
        if self.bytes() < MAX_BYTES { Ok(()) } else { Err(Unavailable::Busy { retry: RETRY }) }
    }

    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl AsRef<[u8]> for TrackedChunk {
    fn as_ref(&self) -> &[u8] {
        &self.part
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.account.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for TrackedChunk {
    fn drop(&mut self) {
        self.account.0.fetch_sub(self.part.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unread_is_counted_until_its_last_byte_is_gone() {
        let account = PendingBytes::default();
        let part = account.hold(Bytes::from(vec![7; MAX_BYTES]), None);
        let rest = part.slice(1..);
        drop(part);
        assert_eq!(account.check(), Err(Unavailable::Busy { retry: RETRY }));
        drop(rest);
        assert_eq!((account.check(), account.bytes()), (Ok(()), 0));
    }
}

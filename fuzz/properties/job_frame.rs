//! A job on its way to a worker.

use py_executor::ipc::{JobFrame, Malformed};

use super::memory;

/// Why a frame was not read.
#[derive(Debug)]
struct Refused;

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self
    }
}

/// The bytes are what arrives, until the other side is gone.
pub fn check(bytes: &[u8]) {
    let mut rest = bytes;
    // Memory is for what has arrived, whatever is announced.
    let read = memory::within(16 * bytes.len() + (256 << 10), || {
        JobFrame::read(|buffer| {
            let (taken, left) = rest.split_at_checked(buffer.len()).ok_or(Refused)?;
            buffer.copy_from_slice(taken);
            rest = left;
            Ok::<_, Refused>(())
        })
    });
    let Ok(frame) = read else { return };
    let (head, body) = frame.encode();
    let sent = [&head[..], &body.concat()].concat();
    assert_eq!(sent, bytes[..bytes.len() - rest.len()], "a frame that was read is not the one that was sent");
}

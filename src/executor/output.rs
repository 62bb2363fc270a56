//! What has come from a worker so far, and who is told of it meanwhile.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::capture::Capture;
use crate::outcome::Printed;

/// One of the standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Whoever wants to know what a script prints while it runs. However slowly it asks, the script is not held up, and what
/// waits for it is no more than what is kept of the streams.
#[derive(Debug, Default)]
pub struct Subscriber {
    pending: Mutex<Pending>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    stdout: String,
    stderr: String,
}

impl Subscriber {
    fn tell(&self, stream: Stream, text: &str) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match stream {
            Stream::Stdout => pending.stdout.push_str(text),
            Stream::Stderr => pending.stderr.push_str(text),
        }
        self.notify.notify_one();
    }

    /// What has not been asked for yet. All texts of a stream together are what the outcome says of it.
    pub fn next_chunk(&self) -> Option<(Stream, String)> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let Pending { stdout, stderr } = &mut *pending;
        let (stream, text) = if stdout.is_empty() { (Stream::Stderr, stderr) } else { (Stream::Stdout, stdout) };
        (!text.is_empty()).then(|| (stream, std::mem::take(text)))
    }

    /// Waits until there is something. Can be dropped at any time without losing it.
    pub async fn wait_for_chunk(&self) -> (Stream, String) {
        loop {
            if let Some(chunk) = self.next_chunk() {
                return chunk;
            }
            self.notify.notified().await;
        }
    }
}

/// What has come from a worker so far.
pub struct OutputCollector<'a> {
    stdout: Capture,
    stderr: Capture,
    pub answer: Vec<u8>,
    subscriber: Option<&'a Subscriber>,
}

impl<'a> OutputCollector<'a> {
    pub fn new(max_output_bytes: usize, subscriber: Option<&'a Subscriber>) -> Self {
        Self {
            stdout: Capture::new(max_output_bytes),
            stderr: Capture::new(max_output_bytes),
            answer: Vec::with_capacity(4096),
            subscriber,
        }
    }

    pub fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let capture = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        capture.push(bytes);
        if let Some(subscriber) = self.subscriber
            && let Some(text) = capture.take_new()
        {
            subscriber.tell(stream, &text);
        }
    }

    /// Makes room for a large answer in few steps. Its size is bounded: a frame that announces more than the limit is
    /// refused at its header, and one that goes on behind its end is refused too.
    pub fn reserve_answer(&mut self) {
        self.answer.reserve(self.answer.len().clamp(4096, 1 << 20));
    }

    /// Whether a subscriber has been told anything.
    pub fn is_known(&self) -> bool {
        self.stdout.emitted() + self.stderr.emitted() > 0
    }

    /// Both streams. What the subscriber does not know of them yet is told.
    pub fn into_printed(self) -> (Printed, Printed) {
        let finish = |stream, capture: Capture| {
            let told = capture.emitted();
            let printed = capture.into_printed();
            if let Some(subscriber) = self.subscriber {
                subscriber.tell(stream, &printed.text[told..]);
            }
            printed
        };
        (finish(Stream::Stdout, self.stdout), finish(Stream::Stderr, self.stderr))
    }
}

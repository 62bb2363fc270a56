//! How a connection gets on: whether something is asked, and whether its client sends and reads at a reasonable pace.

use std::any::Any;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::http::peer::Answering;
use crate::telemetry::metrics::Cut;

/// A request's head must be there within this time from its first byte. The body has a limit of its own.
const HEAD: Duration = Duration::from_secs(10);

/// How long a client may be waited for while it does not read its answer. It gets back what it spends by reading at
/// [`RATE`], and by being up to date.
const STALL: Duration = Duration::from_secs(30);

/// Bytes a second.
const RATE: u32 = 32 << 10;

/// The client preface of HTTP/2 (RFC 9113, 3.4). There, frames come that are no part of a request.
const PREFACE: &[u8] = b"PRI";

/// What is known of a connection.
pub struct Pace(Mutex<State>);

struct State {
    requests: usize,
    /// Since when nothing is asked, if so.
    since: Instant,
    /// When the first byte of the next request came.
    head: Option<Instant>,
    has_read: bool,
    is_multiplexed: bool,
    reader: Reader,
}

/// How a client reads.
struct Reader {
    /// How long it may still be waited for.
    credit: Duration,
    /// There is no room for what is to be written.
    is_full: bool,
    /// Parts of answers that are not written: with HTTP/2 a client can keep them back while there is room.
    parts: usize,
    since: Instant,
}

/// A request that is being answered.
pub struct Asked(Arc<Pace>);

/// A part of an answer that is not written.
struct Part(Arc<Pace>);

impl Pace {
    pub fn new() -> Arc<Self> {
        let now = Instant::now();
        let reader = Reader::new(now);
        let state = State { requests: 0, since: now, head: None, has_read: false, is_multiplexed: false, reader };
        Arc::new(Self(Mutex::new(state)))
    }

    /// To be kept until the answer has been sent.
    pub fn ask(self: &Arc<Self>) -> Asked {
        let mut state = self.lock();
        state.requests += 1;
        state.head = None;
        Asked(Arc::clone(self))
    }

    /// Since when nothing has been asked; none while something is.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.requests == 0).then_some(state.since)
    }

    /// Why the connection is to be cut now, if it is.
    pub fn fault(&self, idle: Duration, now: Instant) -> Option<Cut> {
        let state = self.lock();
        if state.reader.is_exhausted(now) {
            return Some(Cut::SlowReader);
        }
        if state.requests > 0 {
            return None;
        }
        match state.head {
            Some(begun) => (now.duration_since(begun) > HEAD).then_some(Cut::SlowHead),
            None => (now.duration_since(state.since) > idle).then_some(Cut::Idle),
        }
    }

    fn read(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if !state.has_read {
            state.has_read = true;
            state.is_multiplexed = bytes.starts_with(PREFACE);
        }
        if state.requests == 0 && !state.is_multiplexed && state.head.is_none() {
            state.head = Some(Instant::now());
        }
    }

    /// `None`: there is no room for what is to be written.
    fn wrote(&self, bytes: Option<usize>) {
        self.lock().reader.note(bytes, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests -= 1;
        state.since = Instant::now();
    }
}

impl Answering for Asked {
    fn part(&self) -> Box<dyn Any + Send + Sync> {
        let mut state = self.0.lock();
        state.reader.settle(Instant::now());
        state.reader.parts += 1;
        Box::new(Part(Arc::clone(&self.0)))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reader.settle(Instant::now());
        state.reader.parts -= 1;
    }
}

impl Reader {
    fn new(now: Instant) -> Self {
        Self { credit: STALL, is_full: false, parts: 0, since: now }
    }

    fn note(&mut self, bytes: Option<usize>, now: Instant) {
        self.settle(now);
        let read = u32::try_from(bytes.unwrap_or(0)).unwrap_or(u32::MAX);
        self.credit = (self.credit + Duration::from_secs(1) * read / RATE).min(STALL);
        self.is_full = bytes.is_none();
    }

    fn settle(&mut self, now: Instant) {
        let time = now.duration_since(self.since);
        self.credit =
            if self.is_waited_for() { self.credit.saturating_sub(time) } else { (self.credit + time).min(STALL) };
        self.since = now;
    }

    fn is_waited_for(&self) -> bool {
        self.is_full || self.parts > 0
    }

    fn is_exhausted(&self, now: Instant) -> bool {
        self.is_waited_for() && now.duration_since(self.since) > self.credit
    }
}

/// A connection that notes how it gets on.
pub struct Paced {
    pub stream: TcpStream,
    pub pace: Arc<Pace>,
}

impl Paced {
    fn note(&self, written: &Poll<std::io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => self.pace.wrote(Some(*bytes)),
            Poll::Pending => self.pace.wrote(None),
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            self.pace.read(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_mins(10);

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_head_has_to_come_to_its_end_and_an_idle_connection_too() {
        let (pace, now) = (Pace::new(), Instant::now());
        assert_eq!(pace.fault(IDLE, now + seconds(599)), None);
        assert_eq!(pace.fault(IDLE, now + seconds(601)), Some(Cut::Idle));
        pace.read(b"POST");
        assert_eq!(pace.fault(IDLE, now + seconds(9)), None);
        assert_eq!(pace.fault(IDLE, now + seconds(11)), Some(Cut::SlowHead));
        let asked = pace.ask();
        assert_eq!((pace.fault(IDLE, now + seconds(9999)), pace.idle_since()), (None, None));
        drop(asked);
        assert_eq!(pace.fault(IDLE, now + seconds(11)), None);
        assert!(pace.idle_since().is_some());
    }

    #[test]
    fn frames_that_are_no_request_are_no_slow_head() {
        let (pace, now) = (Pace::new(), Instant::now());
        pace.read(b"PRI * HTTP/2.0");
        pace.read(b"ping");
        assert_eq!(pace.fault(IDLE, now + seconds(60)), None);
    }

    #[test]
    fn a_client_that_reads_by_drips_is_as_slow_as_one_that_does_not_read() {
        for drip in [0, 1] {
            let start = Instant::now();
            let mut reader = Reader::new(start);
            let mut waited = 0;
            while !reader.is_exhausted(start + seconds(waited)) {
                if drip > 0 {
                    reader.note(Some(drip), start + seconds(waited));
                }
                reader.note(None, start + seconds(waited));
                waited += 1;
                assert!(waited < 40);
            }
            assert!(waited > 29, "{waited}");
        }
    }

    #[test]
    fn a_client_that_reads_slowly_but_steadily_is_waited_for() {
        let start = Instant::now();
        let mut reader = Reader::new(start);
        for second in 0..1000 {
            assert!(!reader.is_exhausted(start + seconds(second)), "{second}");
            reader.note(Some(RATE as usize), start + seconds(second));
            reader.note(None, start + seconds(second));
        }
        // One that is up to date, as in a stream of events, can always be late once more.
        reader.note(Some(1), start + seconds(1001));
        reader.note(None, start + seconds(2000));
        assert!(!reader.is_exhausted(start + seconds(2029)) && reader.is_exhausted(start + seconds(2031)));
    }

    #[test]
    fn a_client_that_keeps_an_answer_back_is_as_slow_as_one_that_does_not_read() {
        let (pace, now) = (Pace::new(), Instant::now());
        let asked = pace.ask();
        let part = asked.part();
        assert_eq!(pace.fault(IDLE, now + seconds(29)), None);
        assert_eq!(pace.fault(IDLE, now + seconds(31)), Some(Cut::SlowReader));
        drop(part);
        assert_eq!(pace.fault(IDLE, now + seconds(31)), None);
    }
}

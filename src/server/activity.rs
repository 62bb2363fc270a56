//! How a connection gets on: whether something is asked, and whether its client sends and reads at a reasonable pace.
//!
//! With HTTP/2 a client can also keep the service busy without asking for anything, by frames such as PING or SETTINGS. Each
//! frame takes some of a credit, which grows with time and with all that frames are good for: heads of requests, bodies that
//! are read, and what is written. A client that has none left is cut. Honest ones do not come near that: they send a PING
//! every few seconds, some SETTINGS in the beginning, and a WINDOW_UPDATE or two for each part of an answer.

use std::any::Any;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::frames::Protocol;
use crate::http::client_addr::OnWritten;
use crate::telemetry::metrics::CloseReason;

/// A request's head must be there within this time from its first byte. The body has a limit of its own.
const HEAD: Duration = Duration::from_secs(10);

/// How long a client may be waited for while it does not read its answer. It gets back what it spends by reading at
/// [`RATE`], and by being up to date.
const STALL: Duration = Duration::from_secs(30);

/// Bytes a second.
const RATE: u32 = 32 << 10;

/// Credit that a frame takes. As many as fit into a second can come all the time.
const FRAME: Duration = Duration::from_millis(20);

/// The credit of a client that has not used any, for 10,000 frames. So many that bring something on may lie unread.
const CREDIT: Duration = Duration::from_secs(200);

/// As many frames as belong to a request, besides its body: long heads have several, and windows, pings and a reset follow.
const FRAMES_OF_REQUEST: u32 = 16;

/// For so many bytes that are written one frame is free. The answer to a PING is shorter, so that PINGs do not pay for
/// themselves.
const BYTES_OF_FRAME: u32 = 32;

/// What is known of a connection.
pub struct Activity(Mutex<State>);

struct State {
    requests: usize,
    /// Since when nothing is asked, if so.
    since: Instant,
    /// When the first byte of the next request came.
    head: Option<Instant>,
    protocol: Protocol,
    frames: FrameCredit,
    reader: Reader,
}

/// What a client may still send by HTTP/2.
struct FrameCredit {
    left: Duration,
    since: Instant,
    is_used_up: bool,
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
pub struct InFlight(Arc<Activity>);

/// A part of an answer that is not written.
struct PendingWrite(Arc<Activity>);

impl Activity {
    pub fn new() -> Arc<Self> {
        let now = Instant::now();
        let reader = Reader::new(now);
        let (protocol, frames) = (Protocol::Unknown(0), FrameCredit::new(now));
        let state = State { requests: 0, since: now, head: None, protocol, frames, reader };
        Arc::new(Self(Mutex::new(state)))
    }

    /// To be kept until the answer has been sent.
    pub fn ask(self: &Arc<Self>) -> InFlight {
        let mut state = self.lock();
        state.requests += 1;
        state.head = None;
        state.frames.earn(FRAME * FRAMES_OF_REQUEST);
        InFlight(Arc::clone(self))
    }

    /// To be told of each part of a body that is read.
    pub fn took_body(&self) {
        self.lock().frames.earn(FRAME);
    }

    /// Since when nothing has been asked; none while something is.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.requests == 0).then_some(state.since)
    }

    /// Tells whether the connection has ended because of what its client sent.
    pub fn is_flooded(&self) -> bool {
        self.lock().frames.is_used_up
    }

    /// Why the connection is to be cut now, if it is.
    pub fn close_reason(&self, idle: Duration, now: Instant) -> Option<CloseReason> {
        let state = self.lock();
        if state.reader.is_exhausted(now) {
            return Some(CloseReason::SlowReader);
        }
        if state.requests > 0 {
            return None;
        }
        match state.head {
            Some(begun) => (now.duration_since(begun) > HEAD).then_some(CloseReason::SlowHead),
            None => (now.duration_since(state.since) > idle).then_some(CloseReason::Idle),
        }
    }

    /// False: the client has sent too many frames.
    fn read(&self, bytes: &[u8], now: Instant) -> bool {
        let mut state = self.lock();
        let frames = state.protocol.read(bytes);
        if let Protocol::Http2(_) = state.protocol {
            state.head = None;
            return state.frames.spend(FRAME * frames, now);
        }
        if state.requests == 0 && state.head.is_none() {
            state.head = Some(now);
        }
        true
    }

    /// `None`: there is no room for what is to be written.
    fn wrote(&self, bytes: Option<usize>) {
        let mut state = self.lock();
        state.reader.note(bytes, Instant::now());
        let bytes = u32::try_from(bytes.unwrap_or(0)).unwrap_or(u32::MAX);
        state.frames.earn(FRAME * bytes / BYTES_OF_FRAME);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests -= 1;
        state.since = Instant::now();
    }
}

impl OnWritten for InFlight {
    fn part(&self) -> Box<dyn Any + Send + Sync> {
        let mut state = self.0.lock();
        state.reader.settle(Instant::now());
        state.reader.parts += 1;
        Box::new(PendingWrite(Arc::clone(&self.0)))
    }
}

impl Drop for PendingWrite {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reader.settle(Instant::now());
        state.reader.parts -= 1;
    }
}

impl FrameCredit {
    fn new(now: Instant) -> Self {
        Self { left: CREDIT, since: now, is_used_up: false }
    }

    fn earn(&mut self, time: Duration) {
        self.left = (self.left + time).min(CREDIT);
    }

    /// False: there is not so much.
    fn spend(&mut self, time: Duration, now: Instant) -> bool {
        self.earn(now.duration_since(self.since));
        self.since = now;
        self.is_used_up |= time > self.left;
        self.left = self.left.saturating_sub(time);
        !self.is_used_up
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
pub struct TrackedStream {
    pub stream: TcpStream,
    pub activity: Arc<Activity>,
}

impl TrackedStream {
    fn note(&self, written: &Poll<std::io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => self.activity.wrote(Some(*bytes)),
            Poll::Pending => self.activity.wrote(None),
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl AsyncRead for TrackedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        if !read.is_empty() && !self.activity.read(read, Instant::now()) {
            return Poll::Ready(Err(std::io::Error::other("too many frames that bring nothing on")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TrackedStream {
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
        let (activity, now) = (Activity::new(), Instant::now());
        assert_eq!(activity.close_reason(IDLE, now + seconds(599)), None);
        assert_eq!(activity.close_reason(IDLE, now + seconds(601)), Some(CloseReason::Idle));
        activity.read(b"POST", Instant::now());
        assert_eq!(activity.close_reason(IDLE, now + seconds(9)), None);
        assert_eq!(activity.close_reason(IDLE, now + seconds(11)), Some(CloseReason::SlowHead));
        let asked = activity.ask();
        assert_eq!((activity.close_reason(IDLE, now + seconds(9999)), activity.idle_since()), (None, None));
        drop(asked);
        assert_eq!(activity.close_reason(IDLE, now + seconds(11)), None);
        assert!(activity.idle_since().is_some());
    }

    #[test]
    fn frames_that_are_no_request_are_no_slow_head() {
        let (activity, now) = (Activity::new(), Instant::now());
        activity.read(b"PRI * HTTP/2.0\r\n", Instant::now());
        assert_eq!(activity.close_reason(IDLE, now + seconds(60)), Some(CloseReason::SlowHead));
        activity.read(b"\r\nSM\r\n\r\n", Instant::now());
        activity.read(b"ping", Instant::now());
        assert_eq!(activity.close_reason(IDLE, now + seconds(60)), None);
    }

    /// A client of HTTP/2, and the time at which it sends.
    struct Client(Arc<Activity>, Instant);

    impl Client {
        fn new() -> Self {
            let (activity, now) = (Activity::new(), Instant::now());
            assert!(activity.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", now));
            Self(activity, now)
        }

        /// Sends empty frames. False: too many.
        fn send(&self, frames: usize) -> bool {
            self.0.read(&[0; 9].repeat(frames), self.1)
        }
    }

    #[test]
    fn frames_without_end_are_cut() {
        for written in [0, 17] {
            let mut client = Client::new();
            let mut sent = 0;
            while client.send(1) {
                client.0.wrote(Some(written));
                client.1 += Duration::from_micros(10);
                sent += 1;
                assert!(sent < 30_000);
            }
            assert!(sent >= 10_000, "{sent}");
            assert!(client.0.is_flooded());
        }
    }

    #[test]
    fn frames_that_come_slowly_or_with_something_else_are_not_cut() {
        let mut pings = Client::new();
        for _ in 0..50_000 {
            assert!(pings.send(1));
            pings.1 += FRAME;
        }
        // A head, a body in three parts, two windows, a ping, and a reset.
        let requests = Client::new();
        for _ in 0..50_000 {
            assert!(requests.send(8));
            drop(requests.0.ask());
            (0..3).for_each(|_| requests.0.took_body());
        }
        let download = Client::new();
        for _ in 0..50_000 {
            download.0.wrote(Some(100));
            assert!(download.send(3));
        }
        let upload = Client::new();
        for _ in 0..500 {
            assert!(upload.send(1000));
            (0..1000).for_each(|_| upload.0.took_body());
        }
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
        let (activity, now) = (Activity::new(), Instant::now());
        let asked = activity.ask();
        let part = asked.part();
        assert_eq!(activity.close_reason(IDLE, now + seconds(29)), None);
        assert_eq!(activity.close_reason(IDLE, now + seconds(31)), Some(CloseReason::SlowReader));
        drop(part);
        assert_eq!(activity.close_reason(IDLE, now + seconds(31)), None);
    }
}

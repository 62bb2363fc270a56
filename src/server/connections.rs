//! Connections: as many as there may be, each cut when its client is too slow, and the idle ones displaced by new ones.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::activity::{Activity, TrackedStream};
use crate::config::Config;
use crate::http::client_addr::{ClientAddr, WriteTracker};
use crate::telemetry::metrics::{CloseReason, Metrics};

/// How often it is looked whether a connection gets on.
const LOOK: Duration = Duration::from_secs(5);

/// A client that has just connected, or has its answer, is given this time to ask for something before others displace it.
const GRACE: Duration = Duration::from_millis(500);

/// Between two attempts to accept a connection, where there are no descriptors for it.
const RETRY: Duration = Duration::from_millis(20);

/// How often a client of HTTP/2 is asked whether it is still there, while it waits for an answer.
const PING: Duration = Duration::from_secs(30);

/// The largest head of a request, bytes: those of all connections lie in memory before it is known who asks. Load balancers
/// let through 64 KiB at the most.
const MAX_HEAD: usize = 64 << 10;

/// How many requests a connection of HTTP/2 may have under way, for the same reason.
const MAX_STREAMS: u32 = 100;

/// Serves connections.
pub struct Connections {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
}

struct Shared {
    router: Router,
    protocol: auto::Builder<TokioExecutor>,
    idle: Duration,
    metrics: Arc<Metrics>,
    open: Mutex<HashMap<u64, Open>>,
}

/// A connection, as others see it.
#[derive(Clone)]
struct Open {
    activity: Arc<Activity>,
    displaced: Arc<Notify>,
}

impl Connections {
    pub fn new(router: Router, config: &Config, metrics: Arc<Metrics>) -> Self {
        let mut protocol = auto::Builder::new(TokioExecutor::new());
        protocol.http1().timer(TokioTimer::new()).max_buf_size(MAX_HEAD);
        protocol.http2().timer(TokioTimer::new()).keep_alive_interval(PING).max_concurrent_streams(MAX_STREAMS);
        let shared = Shared { router, protocol, idle: config.idle, metrics, open: Mutex::default() };
        Self { shared: Arc::new(shared), places: Arc::new(Semaphore::new(config.connections)) }
    }

    /// Accepts connections until `stop` is true, then waits until the last one has got its answer.
    pub async fn serve(self, listener: TcpListener, stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let mut stopped = stop.clone();
        for number in 0.. {
            let next = tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => break,
                next = self.next(&listener) => next,
            };
            let (stream, peer, place) = next;
            let (shared, stop) = (Arc::clone(&self.shared), stop.clone());
            tasks.spawn(async move {
                shared.serve(number, stream, peer, stop).await;
                drop(place);
            });
            while tasks.try_join_next().is_some() {}
        }
        drop(listener);
        tasks.join_all().await;
    }

    /// The next connection, when there is a place for it.
    async fn next(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let place = self.place().await;
                    // Answers are small and complete: waiting for more to send along only delays them.
                    let _ = stream.set_nodelay(true);
                    return (stream, peer, place);
                }
                // The client has gone away again (accept(2)).
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    self.shared.displace();
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Where all have a place, the one that has asked for nothing for longest loses it. If all of them wait for answers, so
    /// does this one.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            let wait = if self.shared.displace() { LOOK } else { RETRY };
            let place = tokio::time::timeout(wait, Arc::clone(&self.places).acquire_owned()).await;
            if let Ok(Ok(place)) = place {
                return place;
            }
        }
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, number: u64, stream: TcpStream, peer: SocketAddr, mut stop: watch::Receiver<bool>) {
        let open = Open { activity: Activity::new(), displaced: Arc::default() };
        let _listed = Listed::new(&self, number, open.clone());
        let (answering, activity) = (Arc::clone(&self), Arc::clone(&open.activity));
        let service = service_fn(move |request| answering.answer(request, peer, &activity));
        let io = TokioIo::new(TrackedStream { stream, activity: Arc::clone(&open.activity) });
        let mut connection = std::pin::pin!(self.protocol.serve_connection(io, service));
        let mut is_stopping = false;
        let mut look = tokio::time::interval(LOOK);
        look.tick().await;
        loop {
            tokio::select! {
                // First: what can be sent is sent.
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        debug!(%error, "a connection failed");
                    }
                    if open.activity.is_flooded() {
                        self.metrics.connection_cut(CloseReason::Flood);
                    }
                    return;
                }
                _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = open.displaced.notified() => return self.metrics.connection_cut(CloseReason::Displaced),
                _ = look.tick() => if let Some(fault) = open.activity.close_reason(self.idle, Instant::now()) {
                    return self.metrics.connection_cut(fault);
                },
            }
        }
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        activity: &Arc<Activity>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
        let (asked, activity) = (activity.ask(), Arc::clone(activity));
        let mut request = request.map(|body| {
            Body::new(body.map_frame(move |frame| {
                if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                    activity.took_body();
                }
                frame
            }))
        });
        request.extensions_mut().insert(ClientAddr(peer.ip()));
        request.extensions_mut().insert(WriteTracker::new(asked));
        self.router.clone().oneshot(request)
    }

    /// Tells the connection that has been idle for longest to end. False: none has been for long enough.
    fn displace(&self) -> bool {
        let mut open = self.lock();
        let idle = open.iter().filter_map(|(number, open)| Some((open.activity.idle_since()?, *number)));
        let Some((_, number)) = idle.min().filter(|(since, _)| since.elapsed() > GRACE) else { return false };
        if let Some(open) = open.remove(&number) {
            open.displaced.notify_one();
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection in the list as long as it is there.
struct Listed<'a> {
    shared: &'a Shared,
    number: u64,
}

impl<'a> Listed<'a> {
    fn new(shared: &'a Shared, number: u64, open: Open) -> Self {
        shared.lock().insert(number, open);
        shared.metrics.connection_opened();
        Self { shared, number }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.shared.lock().remove(&self.number);
        self.shared.metrics.connection_closed();
    }
}

//! Steady honest traffic, and how soon each kind of it is served again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Fallible;
use super::honest::{Honest, Kind};
use super::judge::{Answer, Seen, Verdict, judge};
use super::ledger::Ledger;

/// No honest script takes a second, and the service refuses what waits for more than ten.
const PATIENCE: Duration = Duration::from_secs(45);

/// Between two requests of a client: it is the disturbances that are to make the service busy.
const PAUSE: Duration = Duration::from_millis(20);

/// What an answer has of its request.
const REQUEST_ID: &str = "x-request-id";

/// A caller of the service.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    address: SocketAddr,
}

impl Caller {
    /// With connections that are kept, or with one for each request.
    pub fn new(address: SocketAddr, keeps_connections: bool) -> Fallible<Self> {
        let kept = if keeps_connections { usize::MAX } else { 0 };
        let builder = Client::builder().no_proxy().http1_only().timeout(PATIENCE).pool_max_idle_per_host(kept);
        Ok(Self { client: builder.build().map_err(|error| error.to_string())?, address })
    }

    pub async fn ask(&self, asked: &Honest) -> Seen {
        match self.answer(asked).await {
            Ok(answer) => Seen::Answer(answer),
            Err(error) => Seen::Nothing(format!("{} ({}): {error:?}", asked.kind, asked.nonce)),
        }
    }

    async fn answer(&self, asked: &Honest) -> reqwest::Result<Answer> {
        let url = format!("http://{}{}", self.address, asked.kind.path());
        let mut request = self.client.post(url).header(REQUEST_ID, &asked.nonce).json(&asked.body());
        if asked.kind == Kind::Events {
            request = request.header(ACCEPT, "text/event-stream");
        }
        let response = request.send().await?;
        let header =
            |name: &str| response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        let (retry_after, content_type) = (header(RETRY_AFTER.as_str()), header(CONTENT_TYPE.as_str()));
        let (content_type, request_id) = (content_type.unwrap_or_default(), header(REQUEST_ID).unwrap_or_default());
        let status = response.status().as_u16();
        let body = String::from_utf8_lossy(&response.bytes().await?).into_owned();
        Ok(Answer { status, content_type, retry_after, request_id, body })
    }
}

/// Clients that go on until this is stopped or dropped.
pub struct Load {
    clients: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Load {
    pub fn start(address: SocketAddr, clients: usize, ledger: &Arc<Ledger>) -> Fallible<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        for number in 0..clients {
            let caller = Caller::new(address, number % 2 == 0)?;
            running.spawn(ask_on(caller, number, Arc::clone(ledger), stopped.clone()));
        }
        Ok(Self { clients: running, stop })
    }

    /// Waits for the answers that are under way.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.clients.join_next().await.is_some() {}
    }
}

/// One client: every kind in turn, each client begins with another one.
async fn ask_on(caller: Caller, number: usize, ledger: Arc<Ledger>, stopped: watch::Receiver<bool>) {
    for kind in Kind::ALL.into_iter().cycle().skip(number % Kind::ALL.len()) {
        if *stopped.borrow() {
            return;
        }
        recorded(&caller, kind, &ledger).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks once; whether the answer is right.
async fn recorded(caller: &Caller, kind: Kind, ledger: &Ledger) -> bool {
    let (since, asked) = (ledger.phase(), Honest::new(kind));
    let verdict = judge(&asked, &caller.ask(&asked).await);
    let is_right = verdict == Verdict::Right;
    ledger.record(since, verdict);
    is_right
}

/// From now until a request of each kind that begins now or later gets its right answer. What is not served within
/// `patience` counts as served then.
pub async fn recovery(
    address: SocketAddr,
    ledger: &Arc<Ledger>,
    patience: Duration,
) -> Fallible<Vec<(Kind, Duration)>> {
    const AGAIN: Duration = Duration::from_millis(10);
    let begun = Instant::now();
    let mut probes = JoinSet::new();
    for kind in Kind::ALL {
        let (caller, ledger) = (Caller::new(address, false)?, Arc::clone(ledger));
        probes.spawn(async move {
            while begun.elapsed() < patience && !recorded(&caller, kind, &ledger).await {
                tokio::time::sleep(AGAIN).await;
            }
            (kind, begun.elapsed())
        });
    }
    Ok(probes.join_all().await)
}

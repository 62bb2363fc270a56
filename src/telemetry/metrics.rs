//! The service's numbers, as `GET /metrics` tells them (OpenMetrics 1.0).

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// From less than an answer of a warm service takes to more than a script may run by default, seconds.
const TIMES: [f64; 14] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Everything that is counted while the service runs.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_times: Family<Endpoint, Histogram>,
    jobs: Family<Job, Counter>,
    phase_times: Family<PhaseOf, Histogram>,
    zygote_starts: Family<ZygoteOf, Counter>,
    zygote_ends: Family<EndOf, Counter>,
    workers_made: Family<ZygoteOf, Counter>,
    workers_lost: Counter,
    connections: Gauge,
    connections_cut: Family<CutOf, Counter>,
    now: Gauges,
}

/// What is looked up when somebody asks.
#[derive(Debug, Default)]
struct Gauges {
    ready: Gauge,
    running: Gauge,
    waiting: Gauge,
    parked: Family<ZygoteOf, Gauge>,
    unread: Gauge,
    memory: Family<ZygoteOf, Gauge>,
}

/// How the service is at the moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vitals {
    /// Whether scripts can be run.
    pub ready: bool,
    pub running: usize,
    pub waiting: usize,
    /// Workers that wait, of the first zygote and of the preloaded one.
    pub parked: [usize; 2],
    /// Resident memory of both zygotes.
    pub zygote_bytes: [u64; 2],
    /// Bytes of answers that clients have not read yet.
    pub unread_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    endpoint: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Job {
    endpoint: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseOf {
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ZygoteOf {
    zygote: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndOf {
    zygote: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CutOf {
    reason: &'static str,
}

/// What a job's time goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its request arrives.
    Read,
    /// It waits for its turn.
    Queue,
    Run,
}

/// One of the two zygotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZygoteKind {
    Base,
    Preloaded,
}

/// Why a zygote ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZygoteEnd {
    Died,
    /// It did not answer.
    Hung,
    /// It had done enough.
    Renewed,
}

/// Why a connection was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Nothing came.
    Idle,
    /// A request's head did not come to its end.
    SlowHead,
    /// The client did not read its answer.
    SlowReader,
    /// The client sent frames of HTTP/2 that brought nothing on.
    Flood,
    /// Others needed its place.
    Displaced,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Queue => "queue",
            Self::Run => "run",
        }
    }
}

impl ZygoteKind {
    const BOTH: [Self; 2] = [Self::Base, Self::Preloaded];

    /// For the log and for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Preloaded => "preloaded",
        }
    }
}

impl ZygoteEnd {
    const ALL: [Self; 3] = [Self::Died, Self::Hung, Self::Renewed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::Hung => "hung",
            Self::Renewed => "renewed",
        }
    }
}

impl CloseReason {
    const ALL: [Self; 5] = [Self::Idle, Self::SlowHead, Self::SlowReader, Self::Flood, Self::Displaced];

    fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SlowHead => "slow_head",
            Self::SlowReader => "slow_reader",
            Self::Flood => "flood",
            Self::Displaced => "displaced",
        }
    }
}

impl Metrics {
    pub fn new() -> Self {
        let times = || Histogram::new(TIMES);
        let mut metrics = Self {
            registry: Registry::with_prefix("executor"),
            requests: Family::default(),
            request_times: Family::new_with_constructor(times),
            jobs: Family::default(),
            phase_times: Family::new_with_constructor(times),
            zygote_starts: Family::default(),
            zygote_ends: Family::default(),
            workers_made: Family::default(),
            workers_lost: Counter::default(),
            connections: Gauge::default(),
            connections_cut: Family::default(),
            now: Gauges::default(),
        };
        metrics.register();
        metrics.begin_with_zero();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("build", "The service's version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register(
            "requests",
            "Requests that were answered, or whose client went away (499)",
            self.requests.clone(),
        );
        let (name, help) = ("request_duration", "Time from a request's head to the end of its answer");
        registry.register_with_unit(name, help, Unit::Seconds, self.request_times.clone());
        registry.register("jobs", "Jobs by how they ended, or why they did not begin", self.jobs.clone());
        let (name, help) = ("job_phase_duration", "Time of a job's phases");
        registry.register_with_unit(name, help, Unit::Seconds, self.phase_times.clone());
        registry.register("zygote_starts", "Warm Pythons that came up", self.zygote_starts.clone());
        registry.register("zygote_ends", "Warm Pythons that were lost or replaced", self.zygote_ends.clone());
        registry.register("workers_made", "Workers that were forked and locked in", self.workers_made.clone());
        registry.register(
            "workers_lost",
            "Workers that were lost for no fault of their script",
            self.workers_lost.clone(),
        );
        registry.register("connections", "Connections that are open", self.connections.clone());
        registry.register("connections_cut", "Connections that were cut", self.connections_cut.clone());
        let now = &self.now;
        registry.register("ready", "Whether scripts can be run", now.ready.clone());
        registry.register("jobs_running", "Jobs that run, or whose worker is being cleared away", now.running.clone());
        registry.register("jobs_waiting", "Jobs that wait for their turn", now.waiting.clone());
        registry.register("workers_parked", "Workers that wait for a job", now.parked.clone());
        let (name, help) = ("answers_unread", "Answers that clients have not read yet");
        registry.register_with_unit(name, help, Unit::Bytes, now.unread.clone());
        let (name, help) = ("zygote_memory", "Resident memory of the warm Pythons, at its largest");
        registry.register_with_unit(name, help, Unit::Bytes, now.memory.clone());
    }

    /// What is to be noticed at its first time has been 0 before: Prometheus takes no first value for an increase.
    fn begin_with_zero(&self) {
        for zygote in ZygoteKind::BOTH.map(ZygoteKind::as_str) {
            for reason in ZygoteEnd::ALL.map(ZygoteEnd::as_str) {
                self.zygote_ends.get_or_create(&EndOf { zygote, reason }).inc_by(0);
            }
        }
        for reason in CloseReason::ALL.map(CloseReason::as_str) {
            self.connections_cut.get_or_create(&CutOf { reason }).inc_by(0);
        }
    }

    /// All numbers as text.
    pub fn text(&self, vitals: Vitals) -> String {
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.now.ready.set(i64::from(vitals.ready));
        self.now.running.set(gauge(vitals.running as u64));
        self.now.waiting.set(gauge(vitals.waiting as u64));
        self.now.unread.set(gauge(vitals.unread_bytes as u64));
        for (at, zygote) in ZygoteKind::BOTH.into_iter().enumerate() {
            self.now.parked.get_or_create(&ZygoteOf { zygote: zygote.as_str() }).set(gauge(vitals.parked[at] as u64));
            self.now.memory.get_or_create(&ZygoteOf { zygote: zygote.as_str() }).set(gauge(vitals.zygote_bytes[at]));
        }
        let mut text = String::new();
        // A string takes everything.
        let _ = encode(&mut text, &self.registry);
        text
    }

    pub fn answered(&self, endpoint: &str, status: u16, time: Duration) {
        self.requests.get_or_create(&Request { endpoint: endpoint.to_owned(), status }).inc();
        self.request_times.get_or_create(&Endpoint { endpoint: endpoint.to_owned() }).observe(time.as_secs_f64());
    }

    pub fn job_ended(&self, endpoint: &str, outcome: &'static str) {
        self.jobs.get_or_create(&Job { endpoint: endpoint.to_owned(), outcome }).inc();
    }

    pub fn phase(&self, phase: Phase, time: Duration) {
        self.phase_times.get_or_create(&PhaseOf { phase: phase.as_str() }).observe(time.as_secs_f64());
    }

    pub fn zygote_started(&self, zygote: ZygoteKind) {
        self.zygote_starts.get_or_create(&ZygoteOf { zygote: zygote.as_str() }).inc();
    }

    pub fn zygote_ended(&self, zygote: ZygoteKind, reason: ZygoteEnd) {
        self.zygote_ends.get_or_create(&EndOf { zygote: zygote.as_str(), reason: reason.as_str() }).inc();
    }

    /// How many zygotes came up so far.
    pub fn zygote_starts(&self) -> u64 {
        ZygoteKind::BOTH
            .map(|zygote| self.zygote_starts.get_or_create(&ZygoteOf { zygote: zygote.as_str() }).get())
            .iter()
            .sum()
    }

    pub fn worker_made(&self, zygote: ZygoteKind) {
        self.workers_made.get_or_create(&ZygoteOf { zygote: zygote.as_str() }).inc();
    }

    pub fn worker_lost(&self) {
        self.workers_lost.inc();
    }

    pub fn connection_opened(&self) {
        self.connections.inc();
    }

    pub fn connection_closed(&self) {
        self.connections.dec();
    }

    pub fn connection_cut(&self, reason: CloseReason) {
        self.connections_cut.get_or_create(&CutOf { reason: reason.as_str() }).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

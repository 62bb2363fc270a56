//! Who may ask, and how often: API keys, or else the client's address, and a token bucket for each.

pub mod address;
pub mod key;
pub mod keys;
pub mod rates;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use key::{Key, RateLimit};
use keys::{FileError, Keys};
use rates::{Rate, Rates, Standing};

/// Who asks. Callers are told apart by this in the queue, in buckets and in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Id {
    /// Whoever has a key of this name.
    Key(Arc<str>),
    /// Whoever asks from this address; for IPv6 from its /64, which one subscriber has for itself (RFC 6177).
    Address(IpAddr),
    /// Whoever the front door knows nothing about, or too many to know.
    Others,
}

/// A caller that was let in, and what it may do.
#[derive(Debug, Clone)]
pub struct Caller {
    pub id: Id,
    /// How many of its jobs may run at the same time.
    pub concurrency: Option<usize>,
    /// The time limit of its jobs, if it is lower than that of all.
    pub timeout: Option<Duration>,
}

impl Caller {
    /// Somebody without limits of its own.
    pub fn new(id: Id) -> Self {
        Self { id, concurrency: None, timeout: None }
    }

    /// The name of its key.
    pub fn key(&self) -> Option<&str> {
        match &self.id {
            Id::Key(name) => Some(name),
            Id::Address(_) | Id::Others => None,
        }
    }
}

impl From<&Key> for Caller {
    fn from(key: &Key) -> Self {
        let limits = key.limits;
        Self { id: Id::Key(Arc::clone(&key.name)), concurrency: limits.concurrency, timeout: limits.timeout }
    }
}

/// Why a caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A key is wanted, and there is none, or a wrong one.
    NoKey,
    /// Its bucket is empty.
    TooOften(Standing),
}

/// Rules for callers.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub keys: Vec<Key>,
    pub keys_file: Option<PathBuf>,
    /// Highest rate of a caller whose key does not say otherwise.
    pub rate: Option<Rate>,
    /// Number of entries of `X-Forwarded-For`, from the end, that are believed.
    pub trusted_proxies: usize,
}

/// Decides who is let in.
#[derive(Debug)]
pub struct Access {
    keys: Keys,
    rate: Option<Rate>,
    rates: Rates,
    proxies: usize,
}

impl Access {
    /// Reads the file of keys, if there is one.
    pub fn new(settings: Settings) -> Result<Self, FileError> {
        Ok(Self {
            keys: Keys::new(settings.keys, settings.keys_file)?,
            rate: settings.rate,
            rates: Rates::default(),
            proxies: settings.trusted_proxies,
        })
    }

    /// Whether callers need a key.
    pub fn wants_keys(&self) -> bool {
        self.keys.are_wanted()
    }

    /// How many proxies in front of the service are believed.
    pub fn proxies(&self) -> usize {
        self.proxies
    }

    /// Lets a caller in, or not. Whoever guesses keys is held to the rate of its address.
    pub fn admit(
        &self,
        presented: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<(Caller, Option<Standing>), Refused> {
        let by_address = || address.map_or(Id::Others, |address| Id::Address(address::subscriber(address)));
        if !self.wants_keys() {
            return self.take(Caller::new(by_address()), self.rate);
        }
        let Some(key) = presented.and_then(|presented| self.keys.find(presented)) else {
            return self.take(Caller::new(by_address()), self.rate).and(Err(Refused::NoKey));
        };
        let rate = key.limits.rate.map_or(self.rate, RateLimit::rate);
        self.take(Caller::from(&*key), rate)
    }

    fn take(&self, caller: Caller, rate: Option<Rate>) -> Result<(Caller, Option<Standing>), Refused> {
        let Some(rate) = rate else { return Ok((caller, None)) };
        let standing = self.rates.take(rate, &caller.id).map_err(Refused::TooOften)?;
        Ok((caller, Some(standing)))
    }

    /// Reads the file of keys again whenever it has changed.
    pub async fn keep_reading(&self) {
        self.keys.keep_reading().await;
    }
}

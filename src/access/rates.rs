//! Token buckets: a caller may ask as often as its bucket has tokens, and these come back at a steady rate.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Id;

/// How many callers have a bucket of their own at the same time, for each rate. Addresses beyond share one. Keys never do: there
/// are as many as the operator wants, and who has many addresses is not to empty the bucket of those who have a key.
const MAX_BUCKETS: usize = 100_000;

/// Whoever may save up more is as good as unlimited. The time until the bucket is full must fit into 64 bits of nanoseconds.
const MAX_BURST: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

/// After so many requests, full buckets are forgotten.
const TIDY: usize = 4096;

/// How often a caller may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// The time in which one token comes back.
    period: Duration,
    /// How many tokens a bucket holds.
    burst: NonZeroU32,
}

/// Why a text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a whole number per `second`, `minute` or `hour`, such as `60/minute`")]
pub struct RateError;

impl FromStr for Rate {
    type Err = RateError;

    /// A bucket holds as many tokens as come back in the unit of time.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let (number, unit) = text.split_once('/').ok_or(RateError)?;
        let burst: NonZeroU32 = number.trim().parse().map_err(|_| RateError)?;
        let unit = match unit.trim() {
            "second" => Duration::from_secs(1),
            "minute" => Duration::from_mins(1),
            "hour" => Duration::from_hours(1),
            _ => return Err(RateError),
        };
        let period = unit / burst.get();
        if period.is_zero() { Err(RateError) } else { Ok(Self { period, burst }) }
    }
}

impl Rate {
    /// The same rate with a bucket that holds more tokens, or less.
    pub fn with_burst(self, burst: NonZeroU32) -> Self {
        Self { burst: burst.min(MAX_BURST), ..self }
    }

    fn quota(self) -> Quota {
        // The period is not zero.
        Quota::with_period(self.period).unwrap_or_else(|| Quota::per_hour(self.burst)).allow_burst(self.burst)
    }
}

/// What there is in a bucket after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many tokens the bucket holds.
    pub limit: u32,
    pub remaining: u32,
    /// The time until it is full again.
    pub reset: Duration,
    /// The time until there is a token, if there was none.
    pub wait: Duration,
}

type Limiter = RateLimiter<Id, HashMapStateStore<Id>, DefaultClock, StateInformationMiddleware>;

/// The buckets of all callers.
#[derive(Default)]
pub struct Rates {
    /// Each rate is a setting, so there are few.
    limiters: RwLock<HashMap<Rate, Arc<Limiter>>>,
    taken: AtomicUsize,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

impl Rates {
    /// Takes a token of this caller's bucket. The error says how long it is empty.
    pub fn take(&self, rate: Rate, id: &Id) -> Result<Standing, Standing> {
        let limiter = self.limiter(rate);
        if self.taken.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            limiter.retain_recent();
        }
        // A bucket more or less does not matter.
        let id = if matches!(id, Id::Key(_)) || limiter.len() < MAX_BUCKETS { id } else { &Id::Others };
        let limit = rate.burst.get();
        match limiter.check_key(id) {
            Ok(snapshot) => {
                let remaining = snapshot.remaining_burst_capacity();
                let reset = rate.period * limit.saturating_sub(remaining);
                Ok(Standing { limit, remaining, reset, wait: Duration::ZERO })
            }
            Err(until) => {
                let wait = until.wait_time_from(limiter.clock().now());
                Err(Standing { limit, remaining: 0, reset: rate.period * limit, wait })
            }
        }
    }

    fn limiter(&self, rate: Rate) -> Arc<Limiter> {
        let known = self.limiters.read().unwrap_or_else(PoisonError::into_inner).get(&rate).cloned();
        known.unwrap_or_else(|| {
            let mut limiters = self.limiters.write().unwrap_or_else(PoisonError::into_inner);
            let make = || Arc::new(RateLimiter::hashmap(rate.quota()).with_middleware());
            Arc::clone(limiters.entry(rate).or_insert_with(make))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    #[test]
    fn rates_are_numbers_per_unit_of_time() {
        assert_eq!(rate("60/minute"), Rate { period: Duration::from_secs(1), burst: NonZeroU32::new(60).unwrap() });
        assert_eq!(rate(" 10 / second ").period, Duration::from_millis(100));
        for wrong in ["", "60", "0/minute", "-1/minute", "1.5/minute", "60/day", "/minute", "60/", "4000000000/second"]
        {
            assert_eq!(wrong.parse::<Rate>(), Err(RateError), "{wrong}");
        }
    }

    #[test]
    fn however_many_addresses_there_are_a_key_has_its_own_bucket() {
        let (rates, slow) = (Rates::default(), rate("2/hour"));
        let address = |number: usize| Id::Address(std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into());
        for number in 0..=MAX_BUCKETS {
            assert!(rates.take(slow, &address(number)).is_ok());
        }
        assert_eq!(rates.take(slow, &address(MAX_BUCKETS + 1)).unwrap().remaining, 0, "it is that of others");
        assert!(rates.take(slow, &address(MAX_BUCKETS + 2)).is_err());
        assert_eq!(rates.take(slow, &Id::Key("ci".into())).unwrap().remaining, 1);
    }

    #[test]
    fn each_caller_has_a_bucket_of_its_own_for_each_rate() {
        let (rates, slow) = (Rates::default(), rate("2/hour"));
        let (one, other) = (Id::Key("one".into()), Id::Key("other".into()));
        let first = rates.take(slow, &one).unwrap();
        assert_eq!((first.limit, first.remaining, first.reset), (2, 1, Duration::from_mins(30)));
        assert_eq!(rates.take(slow, &one).unwrap().remaining, 0);
        let empty = rates.take(slow, &one).unwrap_err();
        assert!(empty.wait > Duration::from_mins(29) && empty.wait <= Duration::from_mins(30), "{empty:?}");
        assert_eq!(rates.take(slow, &other).unwrap().remaining, 1);
        assert_eq!(rates.take(rate("3/hour"), &one).unwrap().remaining, 2);
        assert_eq!(rates.take(rate("3/hour").with_burst(NonZeroU32::MIN), &one).unwrap().remaining, 0);
    }
}

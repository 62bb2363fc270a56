//! Whether anything stays that should not: processes, descriptors, memory.

use std::time::Duration;

use tokio::time::Instant;

use crate::cases::{self, Case};
use crate::paths::Paths;
use crate::results::{Leak, Results};
use crate::target::Target;
use crate::throughput::window;
use crate::tree::{anonymous_kib, descriptors};
use crate::{Fallible, SERVICE, say};

/// What a service at rest has.
pub struct Footprint(Vec<(String, f64)>);

/// What may be more at the end: allocators do not give everything back.
const TOLERANCE: f64 = 1.05;

/// Clients of the full load.
const CLIENTS: usize = 64;

impl Footprint {
    pub async fn of(service: &Target) -> Fallible<Self> {
        let tree = service.at_rest().await?;
        let zygotes: u64 = tree.zygotes.iter().filter_map(|pid| anonymous_kib(*pid)).sum();
        let open: usize = tree.zygotes.iter().map(|pid| descriptors(*pid)).sum();
        Ok(Self(vec![
            ("processes".into(), tree.all().len() as f64),
            ("descriptors of the service".into(), descriptors(tree.service) as f64),
            ("descriptors of zygotes".into(), open as f64),
            ("service, anonymous KiB".into(), anonymous_kib(tree.service).unwrap_or_default() as f64),
            ("zygotes, anonymous KiB".into(), zygotes as f64),
        ]))
    }

    /// How it has changed.
    pub fn until(self, after: Self) -> Vec<Leak> {
        let pairs = self.0.into_iter().zip(after.0);
        pairs.map(|((what, before), (_, after))| Leak { what, before, after }).collect()
    }
}

impl Leak {
    pub fn is_none(&self) -> bool {
        self.after <= self.before * TOLERANCE
    }
}

/// A second for each script.
const ONCE_AROUND: Duration = Duration::from_secs(5);

/// Full load for this time. What there is after the first minute, or after a quarter of less time but twice
/// around, should be there at the end.
pub async fn soak(place: &Paths, cpu: &Case, seconds: u64, results: &mut Results) -> Fallible<()> {
    let service = Target::service(place, &[]);
    let all = [cases::basic(), cases::pandas(), cpu.clone(), cases::output(), cases::matmul()];
    let whole = Duration::from_secs(seconds);
    let first = (whole / 4).clamp(ONCE_AROUND * 2, Duration::from_mins(1));
    let done = load(&service, &all, first).await?;
    let before = Footprint::of(&service).await?;
    let rest = whole.saturating_sub(first);
    say(&format!("{done:.0} scripts in {} s; now {} s more", first.as_secs(), rest.as_secs()));
    let done = load(&service, &all, rest).await?;
    say(&format!("{done:.0} scripts"));
    results.leaks = before.until(Footprint::of(&service).await?);
    Ok(())
}

/// One script after the other, with full load each for a second. Gives how many were run.
async fn load(service: &Target, cases: &[Case], time: Duration) -> Fallible<f64> {
    const EACH: Duration = Duration::from_secs(1);
    let (end, mut done) = (Instant::now() + time, 0.0);
    for case in cases.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        done += window(SERVICE, service, case, CLIENTS, EACH).await?.per_second * EACH.as_secs_f64();
    }
    Ok(done)
}

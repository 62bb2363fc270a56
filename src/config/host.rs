//! Fitting the settings to the hard limits that the host has set for the service (getrlimit(2)): nobody may pass them, so what
//! is set higher is lowered, and reported.

use rustix::process::{Resource, getrlimit};

use super::{Config, MIB, Platform};
use crate::sandbox::report::Adjustment;

/// Descriptors of the service itself: standard streams, event loop, listener, zygotes, log.
const BASE_FILES: u64 = 32;

/// Descriptors of the service for each worker that waits or runs: its channel, output, errors, its monitor, and the other ends of
/// these while it is made.
const WORKER_FILES: u64 = 8;

/// Number of workers of each zygote that wait beyond those that may run. Jobs come in bursts, and a worker takes longer to make
/// than most jobs to run; one that waits takes a few megabytes.
pub const SPARE_WORKERS: usize = 4;

/// Number of connections that there must be room for.
const LEAST_CONNECTIONS: u64 = 32;

/// Hard limits of this process; none is `u64::MAX`.
#[derive(Debug, Clone, Copy)]
pub struct HardLimits {
    pub open_files: u64,
    pub file_bytes: u64,
    pub data_bytes: u64,
    pub processes: u64,
}

impl HardLimits {
    pub fn of_this_process() -> Self {
        let hard = |resource| getrlimit(resource).maximum.unwrap_or(u64::MAX);
        Self {
            open_files: hard(Resource::Nofile),
            file_bytes: hard(Resource::Fsize),
            data_bytes: hard(Resource::Data),
            processes: hard(Resource::Nproc),
        }
    }
}

/// The service's descriptors when so many scripts run.
fn needed_files(concurrency: u64) -> u64 {
    let waiting = 2 * (concurrency + SPARE_WORKERS as u64);
    BASE_FILES + WORKER_FILES * (waiting + concurrency + 1)
}

/// Lowers the settings to what these limits allow. Fails, with the limit's name and what is needed, where the service cannot
/// work at all.
pub fn fit(config: &mut Config, platform: Platform, limits: HardLimits) -> Result<(), String> {
    let adjustments = &mut config.adjustments;
    let mut lower = |setting: &'static str, value: &mut u64, allowed: u64, unit: u64, limit: &str| {
        if *value > allowed {
            adjustments.push(Adjustment {
                setting,
                wanted: (*value / unit).to_string(),
                used: (allowed / unit).to_string(),
                reason: format!("the host's hard limit {limit}"),
            });
            *value = allowed;
        }
    };
    let policy = &mut config.policy;
    lower("EXECUTOR_MAX_OPEN_FILES", &mut policy.max_open_files, limits.open_files, 1, "RLIMIT_NOFILE");
    lower("EXECUTOR_MAX_PROCESSES", &mut policy.max_processes, limits.processes, 1, "RLIMIT_NPROC");
    lower("EXECUTOR_SCRATCH_MB", &mut policy.scratch_bytes, limits.file_bytes, MIB, "RLIMIT_FSIZE");
    lower("EXECUTOR_MEMORY_MB", &mut policy.memory_bytes, limits.data_bytes, MIB, "RLIMIT_DATA");

    let for_workers = limits.open_files.saturating_sub(LEAST_CONNECTIONS);
    let mut concurrency = config.concurrency as u64;
    let fitting = (1..=concurrency).rev().find(|number| needed_files(*number) <= for_workers).ok_or_else(|| {
        format!(
            "the hard limit of open files (RLIMIT_NOFILE) is {}, and the service needs {} at the least: raise it, as in \
             `ulimit -Hn 4096`, `docker run --ulimit nofile=4096:4096` or LimitNOFILE=4096 of systemd",
            limits.open_files,
            needed_files(1) + LEAST_CONNECTIONS
        )
    })?;
    lower("EXECUTOR_CONCURRENCY", &mut concurrency, fitting, 1, "RLIMIT_NOFILE");
    config.concurrency = concurrency as usize;
    // A Lambda function has none.
    if platform != Platform::Lambda {
        let mut connections = config.connections as u64;
        let room = limits.open_files - needed_files(fitting);
        lower("EXECUTOR_MAX_CONNECTIONS", &mut connections, room, 1, "RLIMIT_NOFILE");
        config.connections = connections as usize;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: HardLimits =
        HardLimits { open_files: u64::MAX, file_bytes: u64::MAX, data_bytes: u64::MAX, processes: u64::MAX };

    fn fitted(limits: HardLimits) -> Result<Config, String> {
        let variables = [("EXECUTOR_CONCURRENCY".to_owned(), "2".to_owned())];
        let mut config = Config::from_variables(variables, Platform::Linux).unwrap();
        fit(&mut config, Platform::Linux, limits).map(|()| config)
    }

    fn adjusted(config: &Config) -> Vec<(&str, &str, &str)> {
        let all = config.adjustments.iter();
        all.map(|adjustment| (adjustment.setting, adjustment.wanted.as_str(), adjustment.used.as_str())).collect()
    }

    #[test]
    fn a_host_without_limits_changes_nothing() {
        assert_eq!(adjusted(&fitted(NONE).unwrap()), []);
    }

    #[test]
    fn what_is_above_a_hard_limit_is_lowered_and_reported() {
        let limits = HardLimits { file_bytes: 5 << 20, data_bytes: 100 << 20, processes: 20, ..NONE };
        let config = fitted(limits).unwrap();
        assert_eq!((config.policy.scratch_bytes, config.policy.memory_bytes), (5 << 20, 100 << 20));
        let expected = [
            ("EXECUTOR_MAX_PROCESSES", "128", "20"),
            ("EXECUTOR_SCRATCH_MB", "64", "5"),
            ("EXECUTOR_MEMORY_MB", "512", "100"),
        ];
        assert_eq!(adjusted(&config), expected);
    }

    #[test]
    fn few_descriptors_mean_fewer_connections_then_fewer_places() {
        let config = fitted(HardLimits { open_files: 512, ..NONE }).unwrap();
        assert_eq!((config.concurrency, config.policy.max_open_files), (2, 512));
        assert_eq!(config.connections as u64, 512 - needed_files(2));
        let config = fitted(HardLimits { open_files: needed_files(1) + LEAST_CONNECTIONS, ..NONE }).unwrap();
        assert_eq!((config.concurrency, config.connections as u64), (1, LEAST_CONNECTIONS));
    }

    #[test]
    fn with_too_few_descriptors_the_remedy_is_about_them() {
        let error = fitted(HardLimits { open_files: 64, ..NONE }).unwrap_err();
        assert!(error.contains("RLIMIT_NOFILE) is 64") && error.contains("--ulimit nofile"), "{error}");
    }
}

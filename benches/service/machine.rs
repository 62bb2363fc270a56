//! The machine that a run was made on.

use crate::Fallible;
use crate::cases::cpu;
use crate::paths::Paths;
use crate::results::Machine;

pub fn describe() -> Machine {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let (cpuinfo, load) = (read("/proc/cpuinfo"), read("/proc/loadavg"));
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|pair| pair.1);
    Machine {
        processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        model: model.unwrap_or("unknown").to_owned(),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        load: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
        seconds: 0.0,
    }
}

/// How many rounds of the loop in [`cpu`] take the runtime's Python 50 ms here: the least of some tries.
pub fn rounds_of_50_ms(place: &Paths) -> Fallible<u64> {
    const TRIED: u64 = 300_000;
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let output = place.plain(&cpu(TRIED).script).output().map_err(|error| error.to_string())?;
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        least = least.min(answer["result"].as_f64().unwrap_or(f64::INFINITY));
    }
    Ok((TRIED as f64 * 0.05 / least) as u64)
}

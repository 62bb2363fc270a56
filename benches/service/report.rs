//! The results as text for a terminal.

use std::fmt::Write;

use crate::results::{Latency, Results};
use crate::targets::Target;

/// Everything, the targets last: that is where the eye is when it scrolls by.
pub fn all(results: &Results) -> String {
    [
        machine(results),
        latencies("latency, one client", &results.latency),
        throughput(results),
        latencies("fairness", &results.fairness),
        latencies("start", &results.start),
        memory(results),
        sizes(results),
        leaks(results),
        missing(results),
        targets(&results.targets),
    ]
    .concat()
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let busy = if machine.load > 0.5 { ": others were busy on it, so the figures are rough" } else { "" };
    format!(
        "\n{} x {}, Linux {}, load {:.1} before the run{busy}; {:.0} s\n",
        machine.processors, machine.model, machine.kernel, machine.load, machine.seconds
    )
}

fn latencies(title: &str, rows: &[Latency]) -> String {
    let mut text = heading(title, "ms", rows.is_empty(), &["p50", "p95", "p99", "samples", "script's own"]);
    let mut case = "";
    for row in rows {
        if row.case != case {
            case = &row.case;
            let _ = writeln!(text, "  {case}");
        }
        let inner = row.inner_p50.map_or_else(String::new, |inner| format!("{inner:>12.2}"));
        let Latency { who, samples, p50, p95, p99, .. } = row;
        let _ = writeln!(text, "    {who:<50} {p50:>9.2} {p95:>9.2} {p99:>9.2} {samples:>9} {inner}");
    }
    text
}

fn throughput(results: &Results) -> String {
    let mut text =
        heading("throughput", "scripts a second", results.throughput.is_empty(), &["clients", "rate", "503s"]);
    let mut seen = Vec::new();
    for row in &results.throughput {
        let key = (&row.case, &row.who, row.clients);
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let refused: usize =
            results.throughput.iter().filter(|it| (&it.case, &it.who, it.clients) == key).map(|it| it.refused).sum();
        let rate = results.per_second(&row.case, &row.who, row.clients).unwrap_or_default();
        let who = format!("{}: {}", row.case, row.who);
        let _ = writeln!(text, "    {who:<50} {:>9} {rate:>9.1} {refused:>9}", row.clients);
    }
    text
}

fn memory(results: &Results) -> String {
    let mut text = heading("private memory", "KiB", results.memory.is_empty(), &["median", "processes"]);
    for row in &results.memory {
        let _ = writeln!(text, "    {:<50} {:>9} {:>9}", row.what, row.private_kib, row.processes);
    }
    text
}

fn sizes(results: &Results) -> String {
    let columns = ["1 KB", "10 KB", "100 KB", "1 MB", "5 MB", "growth"];
    let mut text = heading("size", "ms p50; growth 1 is linear", results.sizes.is_empty(), &columns);
    for row in &results.sizes {
        let _ = write!(text, "    {:<50}", format!("{}: {}", row.what, row.who));
        for milliseconds in row.p50.values() {
            let _ = write!(text, " {milliseconds:>9.2}");
        }
        let _ = writeln!(text, " {:>9.2}", row.growth.unwrap_or(f64::NAN));
    }
    text
}

/// What is left of the load.
pub fn leaks(results: &Results) -> String {
    let mut text = heading("at rest", "before and after the load", results.leaks.is_empty(), &["before", "after"]);
    for row in &results.leaks {
        let verdict = if row.is_none() { "" } else { "  grew by more than 5 %" };
        let _ = writeln!(text, "    {:<50} {:>9} {:>9}{verdict}", row.what, row.before, row.after);
    }
    text
}

fn missing(results: &Results) -> String {
    let mut text = if results.missing.is_empty() { String::new() } else { "\nnot measured\n".to_owned() };
    for words in &results.missing {
        let _ = writeln!(text, "    {}", words.replace('\n', "\n      "));
    }
    text
}

fn targets(targets: &[Target]) -> String {
    let mut text = heading("targets", "", targets.is_empty(), &["figure", "target"]);
    for target in targets {
        let figure = target.figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.2} {}", target.unit));
        let limit = format!("{} {} {}", if target.at_most { "<=" } else { ">=" }, target.limit, target.unit);
        let verdict = match (target.met, target.figure, target.stretch) {
            (true, ..) => "met",
            (_, None, _) => "not measured",
            (_, _, true) => "not met (stretch)",
            _ => "NOT MET",
        };
        let _ = writeln!(text, "  {:<80} {figure:>12} {limit:>12}  {verdict}", target.what);
    }
    text
}

fn heading(title: &str, unit: &str, is_empty: bool, columns: &[&str]) -> String {
    if is_empty {
        return String::new();
    }
    let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
    let width = if title == "targets" { 82 } else { 54 };
    let mut text = format!("\n{:<width$}", format!("{title}{unit}"));
    for column in columns {
        let _ = match (width, column.len()) {
            (82, _) => write!(text, " {column:>12}"),
            _ => write!(text, " {column:>9}"),
        };
    }
    text + "\n"
}

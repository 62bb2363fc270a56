//! What came of it, for people.

use std::fmt;
use std::time::Duration;

use super::RECOVERY_BOUND;
use super::footprint::Change;
use super::ledger::{Counts, Row};

/// What a recovery takes on an idle machine at most.
const PROMPT: Duration = Duration::from_secs(1);

/// One service that was disturbed.
#[derive(Debug, Default)]
pub struct Served {
    pub posture: &'static str,
    /// What bounded its processes and its memory.
    pub groups: String,
    pub rounds: usize,
    pub rows: Vec<Row>,
    pub evidence: Vec<String>,
    pub changes: Vec<Change>,
    /// Why it could not be disturbed to the end: it has ended, or left an attack without an answer.
    pub failure: Option<String>,
}

/// All services of a run.
#[derive(Debug)]
pub struct Report {
    served: Vec<Served>,
    seed: u64,
}

/// Something that must hold whatever happens.
struct Invariant {
    holds: bool,
    words: String,
}

impl Report {
    pub fn new(served: Vec<Served>, seed: u64) -> Self {
        Self { served, seed }
    }

    pub fn is_good(&self) -> bool {
        self.invariants().iter().all(|invariant| invariant.holds)
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.served.iter().flat_map(|served| &served.rows)
    }

    /// All answers together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.rows().for_each(|row| total.add(&row.counts));
        total
    }

    fn invariants(&self) -> Vec<Invariant> {
        let Counts { right, refused, limited, told, broken, wrong, wrong_caller } = self.total();
        let leaks = self.served.iter().flat_map(|served| &served.changes).filter(|change| change.is_leak()).count();
        let recoveries = || self.rows().flat_map(|row| row.recoveries.iter().map(|(_, time)| *time));
        let (slow, lost) = (
            recoveries().filter(|time| *time > PROMPT).count(),
            recoveries().filter(|time| *time > RECOVERY_BOUND).count(),
        );
        let failures: Vec<&str> = self.served.iter().filter_map(|served| served.failure.as_deref()).collect();
        vec![
            Invariant {
                holds: failures.is_empty(),
                words: format!(
                    "the service lives on, and answers attacks too: {} of {} did not",
                    failures.len(),
                    self.served.len()
                ),
            },
            Invariant {
                // Who answers nobody has not served anybody.
                holds: wrong == 0 && right > 0,
                words: format!(
                    "every honest request got its right answer or a clean refusal: {right} right, {refused} with 503, \
                     {limited} with 429, {wrong} wrong; by a disturbance that says so, {told} scripts were told what was \
                     done to them, and {broken} connections broke"
                ),
            },
            Invariant {
                holds: wrong_caller == 0,
                words: format!("no answer went to a wrong caller: {wrong_caller} did"),
            },
            Invariant { holds: leaks == 0, words: format!("nothing leaks: {leaks} figures have grown") },
            Invariant {
                holds: lost == 0,
                words: format!(
                    "every kind of request is answered right again within {} s: {lost} of {} were not; {slow} took more \
                     than {} s",
                    RECOVERY_BOUND.as_secs(),
                    recoveries().count(),
                    PROMPT.as_secs()
                ),
            },
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for served in &self.served {
            write!(f, "{served}")?;
        }
        writeln!(f, "\ninvariants (seed {})", self.seed)?;
        for Invariant { holds, words } in self.invariants() {
            writeln!(f, "  {:<6}  {words}", if holds { "holds" } else { "BROKEN" })?;
        }
        for words in self.served.iter().flat_map(|served| served.failure.iter().chain(&served.evidence)) {
            writeln!(f, "  {}", words.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}: {} rounds; bounded by {}", self.posture, self.rounds, self.groups)?;
        writeln!(
            f,
            "  {:<16} {:>5} {:>7} {:>6} {:>5} {:>5} {:>6} {:>6} {:>7} {:>7} {:>7}",
            "disturbance", "times", "right", "503", "429", "told", "broken", "WRONG", "CALLER", "median", "max"
        )?;
        for row in &self.rows {
            write_row(f, row)?;
        }
        if !self.changes.is_empty() {
            writeln!(f, "  {:<42} {:>9} {:>9}", "at rest", "before", "after")?;
        }
        for change in &self.changes {
            let verdict = if change.is_leak() { "  LEAK" } else { "" };
            let Change { before, after } = change;
            writeln!(f, "    {:<40} {:>9} {:>9}{verdict}", before.what, before.amount, after.amount)?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    let Counts { right, refused, limited, told, broken, wrong, wrong_caller } = row.counts;
    let (name, times) = (&row.name, row.times);
    write!(
        f,
        "  {name:<16} {times:>5} {right:>7} {refused:>6} {limited:>5} {told:>5} {broken:>6} {wrong:>6} {wrong_caller:>7}"
    )?;
    let mut recoveries = row.recoveries.clone();
    recoveries.sort_by_key(|(_, time)| *time);
    if let (Some((_, median)), Some((kind, max))) = (recoveries.get(recoveries.len() / 2), recoveries.last()) {
        write!(f, " {:>5.2} s {:>5.2} s", median.as_secs_f32(), max.as_secs_f32())?;
        let mark = if *max > PROMPT { format!("  SLOW ({kind})") } else { String::new() };
        write!(f, "{mark}  {}", row.note)?;
    }
    writeln!(f)
}

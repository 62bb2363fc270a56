//! Who got which answer, by the disturbance under which it came.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::honest::Kind;
use super::judge::Verdict;

/// What a disturbance explains beside right answers and refusals. Everything else is a fault of the service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Excuses {
    /// Connections that break: the service's descriptors are used up.
    pub connections: bool,
    /// Scripts that are told to have been killed: they were.
    pub kills: bool,
    /// Scripts that are told that there is no space for their files: there is none.
    pub space: bool,
}

impl Excuses {
    fn or(self, other: Self) -> Self {
        Self {
            connections: self.connections || other.connections,
            kills: self.kills || other.kills,
            space: self.space || other.space,
        }
    }
}

/// How many answers of each sort there were.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub right: usize,
    pub refused: usize,
    pub limited: usize,
    /// Scripts that were told what a disturbance did to them, which says that it does.
    pub told: usize,
    /// Connections likewise.
    pub broken: usize,
    pub wrong: usize,
    pub wrong_caller: usize,
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.refused += other.refused;
        self.limited += other.limited;
        self.told += other.told;
        self.broken += other.broken;
        self.wrong += other.wrong;
        self.wrong_caller += other.wrong_caller;
    }
}

/// A disturbance with all that was seen of it.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub name: String,
    pub times: usize,
    pub counts: Counts,
    /// From the end of the disturbance until requests of a kind were answered right again.
    pub recoveries: Vec<(Kind, Duration)>,
    /// What was done the last time.
    pub note: String,
}

/// The time between two changes of circumstances.
struct Phase {
    row: usize,
    excuses: Excuses,
}

#[derive(Default)]
struct Book {
    rows: Vec<Row>,
    phases: Vec<Phase>,
    evidence: Vec<String>,
}

/// Shared by all clients.
#[derive(Default)]
pub struct Ledger(Mutex<Book>);

/// How many wrong answers are kept as they were.
const EVIDENCE: usize = 25;

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, answers count under this name.
    pub fn begin(&self, name: &str, excuses: Excuses) {
        let mut book = self.book();
        let row = book.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            book.rows.push(Row { name: name.to_owned(), ..Row::default() });
            book.rows.len() - 1
        });
        book.rows[row].times += 1;
        book.phases.push(Phase { row, excuses });
    }

    /// What the circumstances are now, for a request that begins.
    pub fn phase(&self) -> usize {
        self.book().phases.len().saturating_sub(1)
    }

    /// Notes an answer to a request that began in phase `since`: it counts where it came, and is excused by all that
    /// there was meanwhile.
    pub fn record(&self, since: usize, verdict: Verdict) {
        let mut book = self.book();
        let Some(row) = book.phases.last().map(|phase| phase.row) else { return };
        let excuses = book.phases[since..].iter().fold(Excuses::default(), |all, phase| all.or(phase.excuses));
        let name = book.rows[row].name.clone();
        let counts = &mut book.rows[row].counts;
        let evidence = match verdict {
            Verdict::Right => return counts.right += 1,
            Verdict::Refused => return counts.refused += 1,
            Verdict::Limited => return counts.limited += 1,
            Verdict::Killed(_) if excuses.kills => return counts.told += 1,
            Verdict::NoSpace(_) if excuses.space => return counts.told += 1,
            Verdict::Nothing(_) if excuses.connections => return counts.broken += 1,
            Verdict::WrongCaller(words) => {
                counts.wrong_caller += 1;
                words
            }
            Verdict::Wrong(words) | Verdict::Nothing(words) | Verdict::Killed(words) | Verdict::NoSpace(words) => {
                counts.wrong += 1;
                words
            }
        };
        if book.evidence.len() < EVIDENCE {
            book.evidence.push(format!("{name}: {evidence}"));
        }
    }

    /// Notes how the last disturbance went.
    pub fn recovered(&self, note: String, recoveries: Vec<(Kind, Duration)>) {
        let mut book = self.book();
        let Some(row) = book.phases.last().map(|phase| phase.row) else { return };
        book.rows[row].note = note;
        book.rows[row].recoveries.extend(recoveries);
    }

    pub fn rows(&self) -> Vec<Row> {
        self.book().rows.clone()
    }

    /// Wrong answers, as they came.
    pub fn evidence(&self) -> Vec<String> {
        self.book().evidence.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLS: Excuses = Excuses { connections: false, kills: true, space: false };

    fn counted(ledger: &Ledger, name: &str) -> Counts {
        ledger.rows().into_iter().find(|row| row.name == name).expect("it was begun").counts
    }

    #[test]
    fn only_what_a_disturbance_does_is_excused() {
        let ledger = Ledger::default();
        ledger.begin("kills", KILLS);
        ledger.record(0, Verdict::Killed("killed".into()));
        ledger.record(0, Verdict::Nothing("reset".into()));
        ledger.record(0, Verdict::NoSpace("full".into()));
        let counts = counted(&ledger, "kills");
        assert_eq!((counts.told, counts.wrong, counts.broken), (1, 2, 0));
        ledger.begin("quiet", Excuses::default());
        ledger.record(ledger.phase(), Verdict::Killed("killed".into()));
        assert_eq!(counted(&ledger, "quiet").wrong, 1);
        assert_eq!(ledger.evidence().len(), 3);
    }

    #[test]
    fn a_request_that_outlives_a_disturbance_is_excused_by_it() {
        let ledger = Ledger::default();
        ledger.begin("kills", KILLS);
        let since = ledger.phase();
        ledger.begin("quiet", Excuses::default());
        ledger.record(since, Verdict::Killed("killed".into()));
        assert_eq!(counted(&ledger, "quiet").told, 1);
    }

    #[test]
    fn nothing_excuses_an_answer_for_another_caller() {
        let ledger = Ledger::default();
        ledger.begin("all", Excuses { connections: true, kills: true, space: true });
        ledger.record(0, Verdict::WrongCaller("another's".into()));
        assert_eq!(counted(&ledger, "all").wrong_caller, 1);
    }
}

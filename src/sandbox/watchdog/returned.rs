//! Memory that processes are giving back. The kernel shows it no more as soon as it has begun, and takes processor time for it
//! that others of the tree can keep from it: by ending (exit_mm, exit_files), executing a program (exec_mmap lets go of the old
//! memory after the new one is in place), closing descriptors (whose files go on the way back from the call, task_work), and
//! unmapping (mmu_gather holds pages that are not mapped any more).
//!
//! So what a process has had counts until it was seen at rest: then no call of it has anything left to do.

/// Bytes that a call which unmaps memory has taken out of the tables and not given back yet: 20 batches of pages, and what is
/// about to be added (MAX_GATHER_BATCH_COUNT in include/asm-generic/tlb.h).
const GATHERED_BYTES: u64 = 48 << 20;

/// Bytes that a process counts for until it was at rest for the first time, besides what it has: more than it can have filled
/// and left again since the glance before.
const UNSEEN_BYTES: u64 = 32 << 20;

/// Bytes by which figures of one memory may differ. Each processor has some pages that it has not added yet (percpu_counter).
const ERROR: u64 = 16 << 20;

/// Figures of a process with memory, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes that its memory counts for, with page tables and mappings.
    pub memory: u64,
    /// Bytes that its descriptors count for.
    pub buffers: u64,
    /// The most that its memory had resident, and mapped. Another memory begins with none.
    pub peak_resident: u64,
    pub peak_mapped: u64,
    pub threads: u64,
}

impl Figures {
    pub fn total(&self) -> u64 {
        self.memory.saturating_add(self.buffers)
    }
}

/// Account of what one process is giving back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Account {
    /// Figures at the last glance.
    last: Option<Figures>,
    /// By ending, executing and closing; bytes.
    left: u64,
    /// By unmapping; bytes, not more than can be under way.
    unmapped: u64,
}

impl Account {
    /// For a process that the watchdog knows from its beginning.
    pub fn of_worker() -> Self {
        Self { last: Some(Figures::default()), ..Self::default() }
    }

    /// Notes what a process has now, if it has memory. Gives what it may be giving back, bytes.
    pub fn note(&mut self, now: Option<Figures>) -> u64 {
        let figures = now.unwrap_or_default();
        match self.last.replace(figures) {
            None => self.left = UNSEEN_BYTES,
            Some(before) => {
                self.left = self.left.saturating_add(before.buffers.saturating_sub(figures.buffers));
                let is_another = figures.peak_mapped < before.peak_mapped
                    || figures.peak_resident.saturating_add(ERROR) < before.peak_resident;
                if is_another {
                    self.left = self.left.saturating_add(before.memory);
                } else {
                    let most = GATHERED_BYTES.saturating_mul(before.threads.max(1));
                    let unmapped = self.unmapped.saturating_add(before.memory.saturating_sub(figures.memory));
                    self.unmapped = unmapped.min(most);
                }
            }
        }
        self.returning()
    }

    /// Bytes that it may be giving back.
    pub fn returning(&self) -> u64 {
        self.left.saturating_add(self.unmapped)
    }

    /// Takes this from what it may be giving back: it was seen at rest after that was noted.
    pub fn settle(&mut self, bytes: u64) {
        let rest = bytes.saturating_sub(self.left);
        self.left = self.left.saturating_sub(bytes);
        self.unmapped = self.unmapped.saturating_sub(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn having(memory: u64) -> Figures {
        Figures { memory, peak_resident: memory, peak_mapped: memory, ..Figures::default() }
    }

    #[test]
    fn what_an_ending_process_had_counts_until_it_is_at_rest() {
        let mut account = Account::of_worker();
        assert_eq!(account.note(Some(Figures { buffers: 3 * MB, ..having(400 * MB) })), 0);
        assert_eq!(account.note(None), 403 * MB);
        assert_eq!(account.note(None), 403 * MB, "as long as it takes");
        account.settle(403 * MB);
        assert_eq!(account.returning(), 0);
    }

    #[test]
    fn what_a_process_had_before_it_executed_another_program_counts_beside_what_it_has() {
        let mut account = Account::of_worker();
        account.note(Some(having(400 * MB)));
        assert_eq!(account.note(Some(having(5 * MB))), 400 * MB);
        assert_eq!(account.note(Some(having(300 * MB))), 400 * MB);
        assert_eq!(account.note(Some(having(5 * MB))), 700 * MB);
        account.settle(400 * MB);
        assert_eq!(account.returning(), 300 * MB, "only what was noted when it was seen at rest");
    }

    #[test]
    fn another_memory_is_told_by_either_peak() {
        let mut account = Account::of_worker();
        account.note(Some(Figures { peak_mapped: 900 * MB, ..having(400 * MB) }));
        let hidden = Figures { peak_mapped: 900 * MB, ..having(20 * MB) };
        assert_eq!(account.note(Some(hidden)), 400 * MB, "as much is mapped at once");
    }

    #[test]
    fn a_program_that_frees_memory_again_and_again_has_little_under_way() {
        let mut account = Account::of_worker();
        let full = having(400 * MB);
        for _ in 0..100 {
            account.note(Some(full));
            assert!(account.note(Some(Figures { memory: 10 * MB, ..full })) <= GATHERED_BYTES);
        }
        account.settle(10 * MB);
        assert_eq!(account.returning(), 38 * MB);
    }

    #[test]
    fn closed_descriptors_count() {
        let mut account = Account::of_worker();
        account.note(Some(Figures { buffers: 300 * MB, ..having(10 * MB) }));
        assert_eq!(account.note(Some(having(10 * MB))), 300 * MB);
    }

    #[test]
    fn a_new_process_may_have_had_something() {
        let mut account = Account::default();
        assert_eq!(account.note(Some(having(MB))), UNSEEN_BYTES);
        account.settle(UNSEEN_BYTES);
        assert_eq!(account.note(Some(having(MB))), 0);
    }
}

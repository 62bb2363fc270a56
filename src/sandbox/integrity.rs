//! What a sealed script can still do to processes of its user without a descriptor: change their limits and their
//! priority. It cannot be prevented where the host refuses filters, so it is found out.

use std::fs;

use rustix::process::Pid;

use crate::sys::standing;

/// What other processes of this user could have changed about this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integrity(Vec<(i32, Vec<u64>)>);

impl Integrity {
    /// Of a process that has one thread, and may have no /proc to find it in.
    pub fn of_this_thread() -> Self {
        Self(vec![(0, standing(None))])
    }

    /// Of this process and all its threads.
    pub fn of_this_process() -> Self {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
        let numbers = threads.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Self(numbers.map(|number| (number, standing(Pid::from_raw(number)))).collect())
    }

    /// Whether every thread that is in both stands as it did; the runtime may have started or ended others.
    pub fn is_as(&self, before: &Self) -> bool {
        // Without descriptors nothing can be looked at any more.
        !self.0.is_empty()
            && self.0.iter().all(|(number, now)| {
                before.0.iter().find(|(known, _)| known == number).is_none_or(|(_, then)| then == now)
            })
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, getrlimit, setrlimit};

    use super::*;

    #[test]
    fn a_lowered_limit_is_found_out() {
        let before = Integrity::of_this_process();
        assert!(Integrity::of_this_process().is_as(&before));
        let mut limit = getrlimit(Resource::Sigpending);
        limit.current = Some(17);
        setrlimit(Resource::Sigpending, limit).unwrap();
        assert!(!Integrity::of_this_process().is_as(&before));
    }
}

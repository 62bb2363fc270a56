//! What a sealed script can still do to processes of its user without a descriptor: change their limits and their
//! priority. It cannot be prevented where the host refuses filters, so it is found out.
//!
//! The kernel changes some of the same figures by itself. That must not be taken for a script's doing, which ends the service.

use std::fs;

use rustix::io::Errno;
use rustix::process::Pid;

use crate::sys::{SchedulingAttributes, scheduling_attributes, set_processors, set_slice};

/// What other processes of this user could have changed about this one.
#[derive(Debug, Clone)]
pub struct Integrity(Vec<(i32, SchedulingAttributes)>);

impl Integrity {
    /// Of a process that has one thread, and may have no /proc to find it in.
    pub fn of_this_thread() -> Self {
        Self(vec![(0, scheduling_attributes(None))])
    }

    /// Of this process and all its threads.
    pub fn of_this_process() -> Self {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
        let numbers = threads.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Self(numbers.map(|number| (number, scheduling_attributes(Pid::from_raw(number)))).collect())
    }

    /// Compares every thread that is in both, and leaves out what the kernel changes by itself. The runtime may have started
    /// or ended others.
    pub fn is_as(&self, before: &Self) -> bool {
        // Without descriptors nothing can be looked at any more.
        !self.0.is_empty()
            && self.0.iter().all(|(number, now)| {
                let then = before.0.iter().find(|(known, _)| known == number);
                then.is_none_or(|(_, then)| stands_as(Pid::from_raw(*number), now, then))
            })
    }
}

fn stands_as(thread: Option<Pid>, now: &SchedulingAttributes, then: &SchedulingAttributes) -> bool {
    now.figures == then.figures
        && (now.processors == then.processors || host_has_changed_processors(thread, now, then))
        && (now.slice == then.slice || is_slice_of_kernel(thread, now))
}

/// Tells the host's doing from a script's by setting the processors back: the kernel gives back what a script has taken, and not
/// what the host has taken. Additional processors do no harm.
fn host_has_changed_processors(thread: Option<Pid>, now: &SchedulingAttributes, then: &SchedulingAttributes) -> bool {
    let has_lost_none = then.processors.iter().zip(&now.processors).all(|(then, now)| then & now == *then);
    if has_lost_none {
        return true;
    }
    match set_processors(thread, &then.processors) {
        Ok(()) => scheduling_attributes(thread).processors != then.processors,
        // There is none of them left.
        Err(error) => Errno::from_io_error(&error) == Some(Errno::INVAL),
    }
}

/// Tells a time slice that the kernel has chosen from a script's by having the kernel choose again.
fn is_slice_of_kernel(thread: Option<Pid>, now: &SchedulingAttributes) -> bool {
    set_slice(thread, 0).is_ok() && scheduling_attributes(thread).slice == now.slice
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    /// Each of these tests looks at what another one changes: limits of the process, and all of its threads.
    fn alone() -> MutexGuard<'static, ()> {
        static ONE_TEST: Mutex<()> = Mutex::new(());
        ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn a_lowered_limit_is_found_out() {
        let _alone = alone();
        let before = Integrity::of_this_process();
        assert!(Integrity::of_this_process().is_as(&before));
        // As the kernel raises it.
        let Rlimit { maximum, .. } = getrlimit(Resource::Cpu);
        setrlimit(Resource::Cpu, Rlimit { current: Some(1 << 30), maximum }).unwrap();
        assert!(Integrity::of_this_process().is_as(&before));
        let mut limit = getrlimit(Resource::Sigpending);
        limit.current = Some(17);
        setrlimit(Resource::Sigpending, limit).unwrap();
        assert!(!Integrity::of_this_process().is_as(&before));
    }

    #[test]
    fn processors_that_a_script_has_taken_are_found_out() {
        let _alone = alone();
        let then = scheduling_attributes(None);
        let first = then.processors.iter().position(|word| *word != 0).unwrap();
        let mut one = [0; 16];
        one[first] = then.processors[first] & then.processors[first].wrapping_neg();
        assert_ne!(one, then.processors, "this test takes two processors");
        set_processors(None, &one).unwrap();
        assert!(!stands_as(None, &scheduling_attributes(None), &then));
        assert_eq!(scheduling_attributes(None).processors, then.processors, "they are taken back");
    }

    #[test]
    fn processors_that_the_host_has_changed_are_no_scripts_doing() {
        let _alone = alone();
        let now = scheduling_attributes(None);
        // The last one that the kernel can name, which no machine has: as if it had been unplugged.
        let mut unplugged = [0; 16];
        unplugged[15] = 1 << 63;
        let mut one_more = now.processors;
        one_more[15] |= 1 << 63;
        for before in [one_more, unplugged, [0; 16]] {
            let then = SchedulingAttributes { processors: before, ..now.clone() };
            assert!(stands_as(None, &now, &then), "{before:x?}");
        }
    }

    #[test]
    fn a_time_slice_that_a_script_has_chosen_is_found_out_and_another_of_the_kernels_is_not() {
        let _alone = alone();
        let now = scheduling_attributes(None);
        let then = SchedulingAttributes { slice: now.slice + 1, ..now.clone() };
        assert!(stands_as(None, &now, &then), "it depends on the number of processors");
        set_slice(None, 50_000_000).unwrap();
        // Before Linux 6.12 there is none to be chosen.
        let chosen = scheduling_attributes(None);
        assert_eq!(stands_as(None, &chosen, &now), chosen.slice == now.slice);
    }
}

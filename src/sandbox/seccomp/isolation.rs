//! What the filter has to refuse in addition where a worker has no PID namespace.

use std::collections::BTreeMap;

use super::program::{Condition, Rule};

/// Where a worker is, as far as its filter has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// In namespaces of its own.
    Namespaced,
    /// Among other processes of its user.
    Shared {
        /// The worker, if nothing but the filter keeps its signals from other processes.
        only_signals: Option<u32>,
        /// Whether it has the same user as files that it must not change.
        owns_files: bool,
    },
}

/// In a worker without a PID namespace: what would leave the process group by which the monitor finds and ends everything,
/// all at once, and what holds on to other processes.
const REACHES_OUT: &[libc::c_long] = &[libc::SYS_setsid, libc::SYS_setpgid, libc::SYS_pidfd_open];

/// Changes of a file's owner, mode and times by its name, which Landlock does not know: the script's user may own more
/// than the script's files. By a descriptor they work, because Landlock says what can be opened. And links, which no limit
/// of a directory counts.
const BY_NAME: &[libc::c_long] = &[libc::SYS_fchmodat, super::calls::FCHMODAT2, libc::SYS_fchownat, libc::SYS_linkat];
#[cfg(target_arch = "x86_64")]
const BY_NAME_ON_ARCHITECTURE: &[libc::c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_link,
];
#[cfg(target_arch = "aarch64")]
const BY_NAME_ON_ARCHITECTURE: &[libc::c_long] = &[];

/// The same by a descriptor: refused where the user owns files that the script can open for reading.
const BY_DESCRIPTOR: &[libc::c_long] = &[libc::SYS_fchmod, libc::SYS_fchown, libc::SYS_utimensat];

/// Signals that need a number, or a descriptor, of their receiver.
const SIGNALS: &[libc::c_long] = &[libc::SYS_tkill, libc::SYS_rt_sigqueueinfo, libc::SYS_pidfd_send_signal];

impl Isolation {
    /// Takes away what would reach others.
    pub(super) fn narrow(self, rules: &mut BTreeMap<u32, Rule>) {
        let Self::Shared { only_signals, owns_files } = self else { return };
        let number = |call: libc::c_long| u32::try_from(call).expect("call numbers are small and positive");
        let metadata = BY_NAME.iter().chain(BY_NAME_ON_ARCHITECTURE);
        let metadata = metadata.chain(BY_DESCRIPTOR.iter().filter(|_| owns_files));
        let signals = SIGNALS.iter().filter(|_| only_signals.is_some());
        for call in REACHES_OUT.iter().chain(metadata).chain(signals) {
            rules.remove(&number(*call));
        }
        for (call, condition) in among_others(only_signals) {
            rules.insert(number(call), Rule::When(condition));
        }
        if !owns_files {
            // Times of a descriptor: without a name.
            rules.insert(number(libc::SYS_utimensat), Rule::When(Condition::OneOf(1, vec![0])));
        }
    }
}

/// What a worker without a PID namespace may do to processes: to itself, and to its process group.
fn among_others(only_signals: Option<u32>) -> Vec<(libc::c_long, Condition)> {
    let one_of = |argument, values: &[i64]| {
        Condition::OneOf(argument, values.iter().map(|value| value.cast_unsigned()).collect())
    };
    let mut conditions = vec![
        // Not to everybody (-1 in 32 bits, all that the kernel reads): if nobody may be signalled, it says nothing.
        (libc::SYS_kill, Condition::Unlike { argument: 0, mask: u32::MAX.into(), value: u32::MAX.into() }),
    ];
    conditions.extend([libc::SYS_getpgid, libc::SYS_getsid].map(|call| (call, one_of(0, &[0]))));
    if let Some(process) = only_signals.map(i64::from) {
        // The kernel reads 32 bits of a process id, and the C library may leave any in the upper half of a negative one.
        let group = i64::from((-process) as u32);
        conditions.retain(|(call, _)| *call != libc::SYS_kill);
        conditions.extend([
            (libc::SYS_kill, one_of(0, &[0, process, -process, group])),
            (libc::SYS_tgkill, one_of(0, &[process])),
        ]);
    }
    conditions
}

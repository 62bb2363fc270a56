//! Hosts that are odd in one respect: they refuse a call, do not know it, or say that it worked and do nothing.

use libc::{ENOSYS, EPERM};

use crate::calls::{Call, Refusals, When};
use crate::kind::{Filter, Policy, user};

pub struct Odd {
    pub name: &'static str,
    pub policy: Policy,
}

/// What a call answers that is faked.
const SUCCESS: i32 = 0;

const fn odd(name: &'static str, refusals: &'static [Refusals]) -> Odd {
    Odd { name, policy: user(Some(Filter { refusals, no_new_privs: false })) }
}

const fn always(number: i64) -> Call {
    Call { number, when: When::Always }
}

const fn prctl(option: i32) -> Call {
    Call { number: libc::SYS_prctl, when: When::Is(option as u64) }
}

const LANDLOCK: Call = always(libc::SYS_landlock_restrict_self);
const SECCOMP: Call = always(libc::SYS_seccomp);
/// With new limits, and not only to ask for the old ones.
const LIMITS: Call = Call { number: libc::SYS_prlimit64, when: When::Given(2) };
const PROCESS_LIMIT: Call = Call { number: libc::SYS_prlimit64, when: When::Limits(libc::RLIMIT_NPROC as u64) };
const DUMPABLE: Call = prctl(libc::PR_SET_DUMPABLE);
const NO_NEW_PRIVS: Call = prctl(libc::PR_SET_NO_NEW_PRIVS);
const SUBREAPER: Call = prctl(libc::PR_SET_CHILD_SUBREAPER);
const CAPABILITIES: Call = always(libc::SYS_capset);
const DESCRIPTORS: Call = always(libc::SYS_close_range);
const MEMFD: Call = always(libc::SYS_memfd_create);
const UNSHARE: Call = always(libc::SYS_unshare);
const MOUNT: Call = always(libc::SYS_mount);
const PIVOT: Call = always(libc::SYS_pivot_root);

macro_rules! odds {
    ($($name:literal: $answer:ident $calls:expr;)*) => {
        pub static ALL: &[Odd] = &[$(odd($name, &[Refusals { answer: $answer, calls: &$calls }])),*];
    };
}

odds! {
    "refuse-landlock": EPERM [always(libc::SYS_landlock_create_ruleset)];
    "refuse-landlock-late": EPERM [LANDLOCK];
    "refuse-seccomp": EPERM [SECCOMP];
    "refuse-limits": EPERM [LIMITS];
    "refuse-process-limit": EPERM [PROCESS_LIMIT];
    "refuse-dumpable": EPERM [DUMPABLE];
    "refuse-hiding": EPERM [DUMPABLE, MEMFD];
    "refuse-no-new-privs": EPERM [NO_NEW_PRIVS];
    "refuse-subreaper": EPERM [SUBREAPER];
    "refuse-capset": EPERM [CAPABILITIES];
    "refuse-close-range": EPERM [DESCRIPTORS];
    "refuse-memfd": EPERM [MEMFD];
    "refuse-namespaces": EPERM [UNSHARE];
    "refuse-mount": EPERM [MOUNT];
    "refuse-pivot-root": EPERM [PIVOT];
    "refuse-fsmount": EPERM [always(libc::SYS_fsmount)];
    "unknown-fsopen": ENOSYS [always(libc::SYS_fsopen)];
    "fake-landlock": SUCCESS [LANDLOCK];
    "fake-seccomp": SUCCESS [SECCOMP];
    "fake-limits": SUCCESS [LIMITS];
    "fake-process-limit": SUCCESS [PROCESS_LIMIT];
    "fake-dumpable": SUCCESS [DUMPABLE];
    "fake-no-new-privs": SUCCESS [NO_NEW_PRIVS];
    "fake-subreaper": SUCCESS [SUBREAPER];
    "fake-capset": SUCCESS [CAPABILITIES];
    "fake-close-range": SUCCESS [DESCRIPTORS];
    "fake-namespaces": SUCCESS [UNSHARE];
    "fake-mount": SUCCESS [MOUNT];
    "fake-pivot-root": SUCCESS [PIVOT];
}

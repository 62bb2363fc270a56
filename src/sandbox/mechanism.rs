//! The kernel features that keep the promises, and why one of them could not be had.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// A kernel feature, or a use of several, that keeps a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    Namespaces,
    Root,
    Scratch,
    Descriptors,
    Environment,
    Rlimits,
    Nproc,
    Capabilities,
    Dumpable,
    Landlock,
    Seccomp,
    Seal,
    Sweep,
    Watchdog,
    Cgroup,
}

/// The mechanisms in force, or wanted.
pub type Mechanisms = BTreeSet<Mechanism>;

impl Mechanism {
    pub const ALL: [Self; 15] = [
        Self::Namespaces,
        Self::Root,
        Self::Scratch,
        Self::Descriptors,
        Self::Environment,
        Self::Rlimits,
        Self::Nproc,
        Self::Capabilities,
        Self::Dumpable,
        Self::Landlock,
        Self::Seccomp,
        Self::Seal,
        Self::Sweep,
        Self::Watchdog,
        Self::Cgroup,
    ];

    /// As settings, reports and the log name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Root => "root",
            Self::Scratch => "scratch",
            Self::Descriptors => "descriptors",
            Self::Environment => "environment",
            Self::Rlimits => "rlimits",
            Self::Nproc => "nproc",
            Self::Capabilities => "capabilities",
            Self::Dumpable => "dumpable",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Seal => "seal",
            Self::Sweep => "sweep",
            Self::Watchdog => "watchdog",
            Self::Cgroup => "cgroup",
        }
    }

    /// The mechanism of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// What cannot be used without this one: mounts need namespaces, and the root's only writable place is the tmpfs. A limit on
    /// processes is about those of a user namespace.
    pub fn needed_by(self) -> &'static [Self] {
        match self {
            Self::Namespaces => &[Self::Root, Self::Scratch, Self::Nproc],
            Self::Rlimits => &[Self::Nproc],
            Self::Scratch => &[Self::Root],
            _ => &[],
        }
    }

    /// What an operator can do when the host refuses the mechanism.
    fn remedy(self) -> &'static str {
        match self {
            Self::Namespaces | Self::Root | Self::Scratch => {
                "allow unprivileged user namespaces (sysctl user.max_user_namespaces, \
                 kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
            }
            Self::Landlock => "use a kernel of 5.13 or newer with landlock in its lsm= list",
            Self::Seccomp => "use a kernel with CONFIG_SECCOMP_FILTER and a container profile that allows seccomp(2)",
            Self::Dumpable => "allow prctl(2), or programs in memory (memfd_create(2); sysctl vm.memfd_noexec=0)",
            Self::Sweep => "allow prctl(2) PR_SET_CHILD_SUBREAPER and Landlock, and give the service a writable /tmp",
            Self::Watchdog => "mount /proc",
            Self::Nproc => "use a kernel of 5.14 or newer, or give the service a cgroup of its own",
            Self::Cgroup => {
                "give the service a cgroup of version 2 of its own: start it as root, or as a systemd unit with Delegate=yes \
                 (deploy/py-executor.service)"
            }
            Self::Descriptors | Self::Environment | Self::Rlimits | Self::Capabilities | Self::Seal => {
                "see the errno's meaning in the manual page of the call"
            }
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A list of mechanisms as one argument of a program.
pub fn join(mechanisms: &Mechanisms) -> String {
    mechanisms.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(",")
}

/// Reads what [`join`] wrote; names that are none are left out.
pub fn split(list: &str) -> Mechanisms {
    list.split(',').filter_map(Mechanism::named).collect()
}

/// What could not be done on the way into the sandbox: at which step, and the kernel's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxError {
    /// The mechanism that the host refuses, or that does not hold; none for a fault that is not about one.
    pub mechanism: Option<Mechanism>,
    pub step: String,
    pub reason: String,
    /// Remedy for this cause, where it is another one than for the rest of the mechanism.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remedy: Option<Remedy>,
}

/// Something that an operator can do about one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The kernel mounts a new /proc only where all of an old one can be seen (mount_too_revealing in fs/namespace.c).
    WholeProc,
    WritableDirectory,
}

impl Remedy {
    fn text(self) -> &'static str {
        match self {
            Self::WholeProc => {
                "leave /proc uncovered (`docker run --security-opt systempaths=unconfined`; in Kubernetes `procMount: Unmasked` with \
                 `hostUsers: false`), or do without: promises are kept in another way"
            }
            Self::WritableDirectory => {
                "give the service a /tmp that it can write to (`docker run --tmpfs /tmp`; in Kubernetes an `emptyDir`), or name \
                 another directory in EXECUTOR_SCRATCH_DIR"
            }
        }
    }
}

impl SandboxError {
    /// For `map_err`: the operation that failed, and the kernel's answer.
    pub fn at<E: fmt::Display>(mechanism: Mechanism, step: &str) -> impl FnOnce(E) -> Self + use<E> {
        let step = step.to_owned();
        move |reason| Self { mechanism: Some(mechanism), step, reason: reason.to_string(), remedy: None }
    }

    /// For `map_err`, where no mechanism is to blame.
    pub fn fault<E: fmt::Display>(step: &str) -> impl FnOnce(E) -> Self + use<E> {
        let step = step.to_owned();
        move |reason| Self { mechanism: None, step, reason: reason.to_string(), remedy: None }
    }

    /// The same error, with what helps against its cause.
    #[must_use]
    pub fn remedied_by(self, remedy: Remedy) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    /// What an operator can do about it.
    pub fn remedy(&self) -> &'static str {
        if let Some(remedy) = self.remedy {
            return remedy.text();
        }
        self.mechanism.map_or("see the errno's meaning in the manual page of the call", Mechanism::remedy)
    }
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanism, step, reason, remedy: _ } = self;
        match mechanism {
            Some(mechanism) => write!(f, "{mechanism} cannot be had: {step}: {reason}; {}", self.remedy()),
            None => write!(f, "{step}: {reason}"),
        }
    }
}

impl std::error::Error for SandboxError {}

impl From<SandboxError> for io::Error {
    fn from(error: SandboxError) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_survive_the_way() {
        let all = Mechanisms::from(Mechanism::ALL);
        assert_eq!(all.len(), Mechanism::ALL.len());
        assert_eq!(split(&join(&all)), all);
        assert_eq!(split(""), Mechanisms::new());
        assert_eq!(split("root,unheard-of"), Mechanisms::from([Mechanism::Root]));
    }
}

//! Why a worker could not be locked in.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// A kernel feature that keeps a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    Namespaces,
    Root,
    Scratch,
    Descriptors,
    Rlimits,
    Capabilities,
    Dumpable,
    Landlock,
    Seccomp,
    Memory,
    Process,
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "namespaces",
            Self::Root => "root switch",
            Self::Scratch => "scratch",
            Self::Descriptors => "descriptors",
            Self::Rlimits => "rlimits",
            Self::Capabilities => "capabilities",
            Self::Dumpable => "dumpable",
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
            Self::Memory => "memory watchdog",
            Self::Process => "process",
        })
    }
}

impl Mechanism {
    /// What an operator can do when the host refuses the mechanism.
    fn remedy(self) -> &'static str {
        match self {
            Self::Namespaces | Self::Root | Self::Scratch => {
                "allow unprivileged user namespaces (sysctl user.max_user_namespaces, \
                 kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
            }
            Self::Landlock => "use a kernel of 5.13 or newer with landlock in its lsm= list",
            Self::Seccomp => "use a kernel with CONFIG_SECCOMP_FILTER and a container profile that allows seccomp(2)",
            Self::Descriptors | Self::Rlimits | Self::Capabilities | Self::Dumpable | Self::Memory | Self::Process => {
                "see the errno's meaning in the manual page of the call"
            }
        }
    }
}

/// A mechanism that the host refused: which, at which step, and the kernel's answer.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
#[error("{mechanism} cannot be had: {step}: {reason}; {remedy}", remedy = mechanism.remedy())]
pub struct SandboxError {
    pub mechanism: Mechanism,
    pub step: String,
    pub reason: String,
}

impl SandboxError {
    /// For `map_err`: the operation that failed, and the kernel's answer.
    pub fn at<E: fmt::Display>(mechanism: Mechanism, step: &str) -> impl FnOnce(E) -> Self + use<E> {
        let step = step.to_owned();
        move |reason| Self { mechanism, step, reason: reason.to_string() }
    }
}

impl From<SandboxError> for io::Error {
    fn from(error: SandboxError) -> Self {
        Self::other(error)
    }
}

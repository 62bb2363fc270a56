//! The hosts, as plain data.

use rustix::process::Resource;

use crate::calls::{self, Refusals};
use crate::odd::{self, Odd};

#[derive(Clone, Copy)]
pub enum Kind {
    User,
    Container,
    ContainerRoot,
    Lambda,
    /// Linux, an ordinary user, but for one call.
    Odd(&'static Odd),
}

impl Kind {
    const ALL: [Self; 4] = [Self::User, Self::Container, Self::ContainerRoot, Self::Lambda];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain(odd::ALL.iter().map(Self::Odd)).find(|kind| kind.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Container => "container",
            Self::ContainerRoot => "container-root",
            Self::Lambda => "lambda",
            Self::Odd(odd) => odd.name,
        }
    }

    pub fn policy(self) -> &'static Policy {
        match self {
            Self::User => &USER,
            Self::Container => &CONTAINER,
            Self::ContainerRoot => &CONTAINER_ROOT,
            Self::Lambda => &LAMBDA,
            Self::Odd(odd) => &odd.policy,
        }
    }
}

pub struct Policy {
    pub uid: u32,
    pub gid: u32,
    /// Whether all capabilities are lost, also those that an executed file could bring back.
    pub is_powerless: bool,
    pub limits: &'static [(Resource, u64)],
    /// Defaults in the command's environment.
    pub environment: &'static [(&'static str, &'static str)],
    pub filter: Option<Filter>,
    /// Mounts and processes of its own; none: the machine's.
    pub world: Option<&'static World>,
}

pub struct Filter {
    pub refusals: &'static [Refusals],
    /// A filter that refuses what giving up root takes comes after that, which no_new_privs allows.
    pub no_new_privs: bool,
}

pub struct World {
    /// What all mounts of the machine are turned into.
    pub machine: &'static [Attribute],
    pub temporaries: &'static [Temporary],
    /// Files of /proc that only the whole machine's root may write.
    pub proc_read_only: &'static [&'static str],
    pub links: &'static [(&'static str, &'static str)],
    /// Whether the command has a parent in its PID namespace, instead of being its init.
    pub has_init: bool,
}

#[derive(Clone, Copy)]
pub enum Attribute {
    ReadOnly,
    NoSetuid,
    NoDevices,
}

/// A fresh file system in memory.
pub struct Temporary {
    pub path: &'static str,
    pub options: &'static std::ffi::CStr,
    pub devices: &'static [Device],
}

pub struct Device {
    pub name: &'static str,
    pub major: u32,
    pub minor: u32,
}

const DEVICES: &[Device] = &[
    Device { name: "null", major: 1, minor: 3 },
    Device { name: "zero", major: 1, minor: 5 },
    Device { name: "full", major: 1, minor: 7 },
    Device { name: "random", major: 1, minor: 8 },
    Device { name: "urandom", major: 1, minor: 9 },
    Device { name: "tty", major: 5, minor: 0 },
];

const STANDARD_STREAMS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

static USER: Policy = user(None);

pub const fn user(filter: Option<Filter>) -> Policy {
    Policy { uid: 1234, gid: 1234, is_powerless: false, limits: &[], environment: &[], filter, world: None }
}

/// `docker run --user 1234 --read-only --tmpfs /tmp`: the image is the machine's own files, which tests must not change.
static CONTAINER: Policy = container(1234);

/// `docker run --cap-drop ALL --read-only --tmpfs /tmp`.
static CONTAINER_ROOT: Policy = container(0);

const fn container(id: u32) -> Policy {
    Policy {
        uid: id,
        gid: id,
        is_powerless: true,
        limits: &[],
        environment: &[],
        filter: Some(Filter { refusals: calls::DOCKER, no_new_privs: false }),
        world: Some(&CONTAINER_WORLD),
    }
}

static CONTAINER_WORLD: World = World {
    machine: &[Attribute::ReadOnly],
    temporaries: &[
        Temporary { path: "/tmp", options: c"mode=1777,size=1g", devices: &[] },
        Temporary { path: "/dev", options: c"mode=755,size=64k", devices: DEVICES },
        Temporary { path: "/dev/shm", options: c"mode=1777,size=64m", devices: &[] },
    ],
    // Docker's list; root without capabilities owns these files all the same.
    proc_read_only: &["bus", "fs", "irq", "sys", "sysrq-trigger"],
    links: STANDARD_STREAMS,
    has_init: false,
};

static LAMBDA: Policy = Policy {
    // sbx_user1051, whatever the function.
    uid: 993,
    gid: 990,
    is_powerless: true,
    limits: &[(Resource::Nofile, 1024), (Resource::Nproc, 1024)],
    environment: &[
        // Says that /tmp is the function's own, as it is here.
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"),
        ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLETOKEN"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
    ],
    filter: Some(Filter { refusals: calls::LAMBDA, no_new_privs: true }),
    world: Some(&LAMBDA_WORLD),
};

static LAMBDA_WORLD: World = World {
    machine: &[Attribute::ReadOnly, Attribute::NoSetuid, Attribute::NoDevices],
    temporaries: &[
        Temporary { path: "/tmp", options: c"mode=1777,size=512m", devices: &[] },
        // No /dev/shm, and nowhere to make one.
        Temporary { path: "/dev", options: c"mode=755,size=64k", devices: DEVICES },
        Temporary { path: "/sys", options: c"mode=555,size=4k", devices: &[] },
    ],
    proc_read_only: &["sys", "sysrq-trigger"],
    links: STANDARD_STREAMS,
    has_init: true,
};

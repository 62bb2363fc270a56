//! The seal: for hosts that refuse namespaces, Landlock and system call filters, such as AWS Lambda.
//!
//! A process whose hard limits on open files, processes and file size are zero can open no file, make no socket, pipe,
//! process or thread and write to no file, and can never raise a limit again; the descriptors that it has keep working
//! (getrlimit(2); OpenSSH's rlimit sandbox rests on the same). What it could still do to other processes of its user
//! needs that they can be traced, which `dumpable` prevents, or is a signal. So everything that a script may use must
//! be there before: modules, an event loop, standard input.

use std::fs::File;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{Mechanism, SandboxError};

/// Seals this process, and checks that it is.
pub fn close() -> Result<(), SandboxError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    for resource in [Resource::Nproc, Resource::Fsize, Resource::Nofile] {
        setrlimit(resource, none).map_err(SandboxError::at(Mechanism::Seal, &format!("setrlimit {resource:?} 0")))?;
    }
    match File::open("/") {
        Err(error) if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => Ok(()),
        Err(error) => Err(SandboxError::at(Mechanism::Seal, "open a file afterwards")(error)),
        Ok(_) => Err(SandboxError::at(Mechanism::Seal, "open a file afterwards")("it was opened")),
    }
}

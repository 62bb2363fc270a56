//! The worker: a fork of the zygote that locks itself in, waits for its one job, runs it and ends.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{SealFlags, fcntl_add_seals};
use rustix::process::{getpid, setsid};

use super::Zygote;
use super::descriptors::{Standard, arrange};
use crate::protocol::{JobFrame, Malformed, outcome_header};
use crate::sandbox::{self, Mechanism, SandboxError};
use crate::sys;

/// What a worker tells its guard when it is locked in.
pub const READY: &[u8] = b"ok";

/// The status of a worker that could not run its job for a reason that is not the script's.
const FAULT: i32 = 70;

/// Runs in a fresh fork of the guard.
pub fn run(zygote: &Zygote, streams: Standard, channel: OwnedFd, signal_ready: OwnedFd) -> ! {
    let prepared = prepare(zygote, streams, &channel, &signal_ready);
    let mut signal_ready = File::from(signal_ready);
    let said = match &prepared {
        Ok(()) => READY.to_vec(),
        Err(error) => serde_json::to_vec(error).unwrap_or_default(),
    };
    let told = signal_ready.write_all(&said);
    drop(signal_ready);
    if prepared.is_err() || told.is_err() {
        sys::exit_now(FAULT);
    }
    match run_job(zygote, File::from(channel)) {
        Ok(()) => sys::exit_now(0),
        Err(_) => sys::exit_now(FAULT),
    }
}

/// Python does not run before the sandbox is closed.
fn prepare(zygote: &Zygote, streams: Standard, channel: &OwnedFd, signal_ready: &OwnedFd) -> Result<(), SandboxError> {
    // A session of its own: a signal to the process group 0 reaches nobody else.
    setsid().map_err(SandboxError::at(Mechanism::Process, "setsid"))?;
    // SAFETY: everything else belonged to the zygote and the guard.
    unsafe { arrange(streams, &[channel.as_fd(), signal_ready.as_fd()]) }?;
    sandbox::lock_in(&zygote.hello.policy, &zygote.filter)?;
    zygote.python.after_fork_child();
    zygote.python.prepare().map_err(SandboxError::at(Mechanism::Process, "prepare Python"))
}

fn run_job(zygote: &Zygote, mut channel: File) -> io::Result<()> {
    let job: JobFrame<Vec<u8>> = JobFrame::read(|buffer| channel.read_exact(buffer))?;
    sandbox::limit_cpu(job.timeout)?;
    fill_stdin(&job.stdin)?;
    let process = getpid();
    let outcome = zygote.python.run(&job);
    if getpid() != process {
        // A child that the script has forked came back from `main` too. Only the script's own process answers.
        sys::exit_now(0);
    }
    let outcome = outcome.ok_or_else(|| io::Error::other("the harness failed"))?;
    sys::flush_c_streams();
    let (kind, payload) = outcome.split_first().ok_or_else(|| io::Error::other("the harness said nothing"))?;
    channel.write_all(&outcome_header(&job.token, *kind, payload.len()))?;
    channel.write_all(payload)
}

/// Standard input is a file in memory that was made before the job was known. It is sealed, so that a script cannot use
/// it to hold memory that no limit counts.
fn fill_stdin(content: &[u8]) -> io::Result<()> {
    let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    stdin.write_all(content)?;
    stdin.rewind()?;
    let seals = SealFlags::GROW | SealFlags::SHRINK | SealFlags::WRITE | SealFlags::SEAL;
    Ok(fcntl_add_seals(&stdin, seals)?)
}

impl From<Malformed> for io::Error {
    fn from(error: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

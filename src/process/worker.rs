//! The worker: a fork of the zygote that locks itself in, waits for its one job, runs it and ends.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{SealFlags, fcntl_add_seals};
use rustix::process::{getpid, setsid};

use super::descriptors::{Standard, close_others};
use super::probe::{exceed_processes, leave_something};
use super::python::Python;
use super::{WorkerSpec, artifacts};
use crate::ipc::{Artifacts, JobFrame, Malformed, Task, outcome_header};
use crate::sandbox::{self, Mechanism, Rules, SandboxError, WorkerPaths, probe};
use crate::sys;

/// What a worker tells its monitor when it is locked in.
pub const READY: &[u8] = b"ok";

/// The status of a worker that could not run its job for a reason that is not the script's.
const FAULT: i32 = 70;

/// Runs in a fresh fork of the monitor. Without Python, it probes.
pub fn run(
    spec: &WorkerSpec,
    python: Option<&Python>,
    place: &WorkerPaths,
    rules: Option<Rules>,
    streams: Standard,
    channel: OwnedFd,
    signal_ready: OwnedFd,
) -> ! {
    let mut failed = lock_in(spec, python.is_none(), place, rules, streams, &channel, &signal_ready);
    if let Some(python) = python.filter(|_| failed.is_empty()) {
        python.after_fork_child();
        failed.extend(python.prepare(&place.scratch).err().map(|error| SandboxError::fault("prepare Python")(error)));
    }
    // Before the monitor hears of the worker, so that it finds both.
    if python.is_none() && failed.is_empty() && leave_something(&spec.policy, place) {
        // The monitor waits for the end of what is said there.
        drop(signal_ready);
        wait_for_the_end();
    }
    let said = if failed.is_empty() { READY.to_vec() } else { serde_json::to_vec(&failed).unwrap_or_default() };
    let told = File::from(signal_ready).write_all(&said);
    if !failed.is_empty() || told.is_err() {
        sys::exit_now(FAULT);
    }
    let Some(python) = python else { wait_for_the_end() };
    let ended = run_job(spec, python, place, File::from(channel));
    sys::exit_now(if ended.is_ok() { 0 } else { FAULT })
}

/// Python does not run before the sandbox is closed.
fn lock_in(
    spec: &WorkerSpec,
    is_probe: bool,
    place: &WorkerPaths,
    rules: Option<Rules>,
    streams: Standard,
    channel: &OwnedFd,
    signal_ready: &OwnedFd,
) -> Vec<SandboxError> {
    let policy = &spec.policy;
    let mut kept = vec![channel.as_fd(), signal_ready.as_fd()];
    kept.extend(rules.as_ref().map(AsFd::as_fd));
    let prepared = || {
        sys::unblock_child_exits();
        // A session of its own: a signal to the process group 0 reaches nobody else.
        setsid().map_err(SandboxError::fault("setsid"))?;
        streams.put_in_place()?;
        if policy.has(Mechanism::Descriptors) {
            // SAFETY: everything else belonged to the zygote and the monitor.
            unsafe { close_others(&kept) }?;
        }
        Ok(())
    };
    if let Err(error) = prepared() {
        return vec![error];
    }
    if !is_probe {
        let failed = sandbox::lock_in(policy, rules.as_ref(), &spec.filter, &|_| None);
        drop(rules);
        return failed;
    }
    let mut failed: Vec<SandboxError> = Vec::new();
    if policy.has(Mechanism::Descriptors) {
        failed.extend(probe::inherited(&kept));
    }
    let examine = |mechanism| {
        let found = if mechanism == Mechanism::Nproc { exceed_processes() } else { None };
        found.or_else(|| probe::breach(mechanism, policy, place))
    };
    failed.extend(sandbox::lock_in(policy, rules.as_ref(), &spec.filter, &examine));
    drop(rules);
    if policy.has(Mechanism::Seal) {
        failed.extend(sandbox::seal().err().or_else(|| examine(Mechanism::Seal)));
        if policy.has(Mechanism::Sweep) {
            failed.extend(probe::outlasts_sweep(policy));
        }
    }
    failed
}

/// Until the monitor ends it.
pub fn wait_for_the_end() -> ! {
    loop {
        std::thread::sleep(std::time::Duration::from_mins(1));
    }
}

fn run_job(spec: &WorkerSpec, python: &Python, place: &WorkerPaths, mut channel: File) -> io::Result<()> {
    sys::wipe_no_more();
    let job: JobFrame<Vec<u8>> = JobFrame::read(|buffer| channel.read_exact(buffer))?;
    let policy = &spec.policy;
    if policy.has(Mechanism::Rlimits) {
        sandbox::limit_cpu(job.timeout)?;
    }
    fill_stdin(&job.stdin)?;
    let is_sealed = policy.has(Mechanism::Seal);
    if is_sealed {
        // Only what the runtime brings is executed here, which no script can change.
        python.get_ready(&job, policy.scratch_bytes, policy.scratch_inodes).map_err(io::Error::other)?;
        sandbox::seal()?;
    }
    let reserve = (job.max_files > 0).then(Reserve::take);
    let process = getpid();
    let outcome = python.run(&job);
    if getpid() != process {
        // A child that the script has forked came back from `main` too. Only the script's own process answers.
        sys::exit_now(0);
    }
    let outcome = outcome.map_err(io::Error::other)?;
    sys::flush_c_streams();
    let (kind, payload) = outcome.split_first().ok_or_else(|| io::Error::other("the harness said nothing"))?;
    if let Some(reserve) = reserve {
        reserve.give_back();
    }
    // To look for what open files hold takes time where there are many objects.
    if job.max_files > 0 && (is_sealed || sys::has_open_file(policy.max_open_files)) {
        python.flush_files();
    }
    let files = match (job.max_files, is_sealed) {
        (0, _) => Artifacts::default(),
        (_, false) => {
            // The script may have left none to be had.
            // SAFETY: what uses the others is the script's, which is over.
            let _ = unsafe { close_others(&[channel.as_fd()]) };
            artifacts::in_directory(&place.scratch, &job)
        }
        (_, true) => artifacts::in_memory(python, &job),
    };
    channel.write_all(&outcome_header(&job.token, *kind, payload.len(), files.wire_bytes()))?;
    channel.write_all(payload)?;
    if files.wire_bytes() > 0 {
        let mut buffered = BufWriter::new(&channel);
        files.write(&mut buffered)?;
        buffered.flush()?;
    }
    if job.task != Task::Execute {
        // Its monitor is asked what it has used.
        wait_for_the_end();
    }
    Ok(())
}

/// Memory for what comes after a script that has left none: to run out of it here would end the process.
struct Reserve(Vec<u8>);

impl Reserve {
    /// More than the lists of names take; large enough to be given back to the kernel at once (M_MMAP_THRESHOLD of
    /// mallopt(3)).
    const BYTES: usize = 4 << 20;

    fn take() -> Self {
        Self(Vec::with_capacity(Self::BYTES))
    }

    fn give_back(self) {
        drop(self.0);
    }
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

//! A process that waits for another one: passes signals on to it, reaps orphans, ends as it ended.

use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};

use crate::failure::{Attempt, Failure};

/// Starts `command` and waits for its end.
pub fn until_end(command: Command) -> Result<ExitCode, Failure> {
    // One thread: a process that is to have its children in another PID namespace can have no second one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().attempt("a runtime")?;
    runtime.block_on(supervise(command))
}

async fn supervise(mut command: Command) -> Result<ExitCode, Failure> {
    // Before there is a child, so that none of its signals is missed.
    let mut ended = arrivals(SignalKind::child())?;
    let mut terminate = arrivals(SignalKind::terminate())?;
    let mut interrupt = arrivals(SignalKind::interrupt())?;
    let mut hang_up = arrivals(SignalKind::hangup())?;
    let child = command.spawn().attempt("the next stage")?;
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("a process without a number")?;
    loop {
        let signal = tokio::select! {
            _ = ended.recv() => match reap(child)? {
                Some(status) => return Ok(status),
                None => continue,
            },
            _ = terminate.recv() => Signal::TERM,
            _ = interrupt.recv() => Signal::INT,
            _ = hang_up.recv() => Signal::HUP,
        };
        // The child is not reaped yet, so the number is its own.
        kill_process(child, signal).attempt("kill")?;
    }
}

fn arrivals(kind: SignalKind) -> Result<Arrivals, Failure> {
    signal(kind).attempt("a handler of signals")
}

/// Takes leave of all that have ended; an exit status when `child` is among them.
fn reap(child: Pid) -> Result<Option<ExitCode>, Failure> {
    while let Some((pid, status)) = wait(WaitOptions::NOHANG).attempt("wait")? {
        if pid == child {
            return Ok(Some(ExitCode::from(as_in_a_shell(status))));
        }
    }
    Ok(None)
}

fn as_in_a_shell(status: WaitStatus) -> u8 {
    let number = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX)
}

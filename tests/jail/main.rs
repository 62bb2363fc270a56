//! Confines itself as one of the hosts does on which the service is tested, then executes a command there:
//!     jail user|container|container-root|lambda [--bind FROM TO]... [--] COMMAND ARGUMENTS...
//! or as a host that refuses or fakes one call only (odd.rs has their names).
//! It must be started by root. Directories can be put where the host has them (--bind), but on a host that shares the machine's
//! mounts. The network stays the machine's; the exit status is the command's.

mod calls;
mod failure;
mod filter;
mod identity;
mod kept;
mod kind;
mod mounts;
mod odd;
mod supervise;
mod sys;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, geteuid, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use failure::{Attempt, Failure};
use kind::{Kind, World};
use mounts::Bind;

/// What the jail's own stages are called, where a user of it names a kind.
const INSIDE: &str = "--inside";
const COMMAND: &str = "--command";

const USAGE: &str = "jail user|container|container-root|lambda [--bind FROM TO]... [--] COMMAND ARGUMENTS...";
const BIND: &str = "--bind";

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok(status) => status,
        Err(failure) => {
            eprintln!("jail: {failure}");
            ExitCode::from(125)
        }
    }
}

/// What one execution of this program is to do.
struct Order {
    stage: Option<String>,
    kind: Kind,
    binds: Vec<Bind>,
    /// Never empty.
    command: Vec<OsString>,
}

impl Order {
    fn parse(mut words: Vec<OsString>) -> Result<Self, Failure> {
        let stage = words.first().and_then(|word| word.to_str()).filter(|word| [INSIDE, COMMAND].contains(word));
        let stage = stage.map(str::to_owned);
        words.drain(..usize::from(stage.is_some()));
        let kind = words.first().and_then(|word| word.to_str()).and_then(Kind::named).ok_or(USAGE)?;
        words.remove(0);
        let mut binds = Vec::new();
        while words.first().is_some_and(|word| word == BIND) {
            let [_, from, to] = words.first_chunk().ok_or(USAGE)?;
            binds.push(Bind { from: from.into(), to: to.into() });
            words.drain(..3);
        }
        if words.first().is_some_and(|word| word == "--") {
            words.remove(0);
        }
        let has_place = binds.is_empty() || kind.policy().world.is_some();
        if words.is_empty() || !has_place { Err(USAGE.into()) } else { Ok(Self { stage, kind, binds, command: words }) }
    }

    fn program(&self) -> &Path {
        Path::new(&self.command[0])
    }

    /// The same order for this program's next stage.
    fn passed_on(&self, stage: &str) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg(stage).arg(self.kind.name());
        // Once they are there, they are not put there again.
        for bind in self.binds.iter().filter(|_| stage == INSIDE) {
            command.arg(BIND).args([&bind.from, &bind.to]);
        }
        command.arg("--").args(&self.command);
        command
    }
}

fn run(words: Vec<OsString>) -> Result<ExitCode, Failure> {
    let order = Order::parse(words)?;
    if !geteuid().is_root() {
        return Err(Failure::from("only root can make the other hosts: start the tests as root"));
    }
    match (order.stage.as_deref(), order.kind.policy().world) {
        (None, Some(_)) => outside(&order),
        (Some(INSIDE), Some(world)) => inside(&order, world),
        (None, None) => {
            mounts::open_the_way(order.program())?;
            execute(&order)
        }
        _ => execute(&order),
    }
}

/// Makes the namespaces and waits for their first process: their end is the jail's.
fn outside(order: &Order) -> Result<ExitCode, Failure> {
    sys::unshare(
        UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWUTS
            | UnshareFlags::NEWCGROUP,
    )
    .attempt("unshare")?;
    supervise::until_end(order.passed_on(INSIDE))
}

/// The first process of the namespaces: in a container the command itself, in Lambda its parent.
fn inside(order: &Order, world: &World) -> Result<ExitCode, Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).attempt("prctl PR_SET_PDEATHSIG")?;
    mounts::make(world, &order.binds, order.program())?;
    if world.has_init { supervise::until_end(order.passed_on(COMMAND)) } else { execute(order) }
}

fn execute(order: &Order) -> Result<ExitCode, Failure> {
    let policy = order.kind.policy();
    identity::assume(policy)?;
    let mut command = Command::new(order.program());
    command.args(&order.command[1..]);
    for (name, value) in policy.environment {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    Err(Failure::from(format!("cannot execute {}: {}", order.program().display(), command.exec())))
}

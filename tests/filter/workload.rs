//! Runs a Python program in the runtime, in place and by its own loader, under the project's filter alone, and hears
//! of each call that the filter refuses.

use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use py_executor::sandbox::policy::NICENESS;
use py_executor::sandbox::seccomp::Filter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::setpriority_process;
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, gettid, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use crate::calls::Call;
use crate::listener::Listener;

/// An ordinary user, whom programs become that root runs the tests of.
const ORDINARY: u32 = 65532;

const PATIENCE: Duration = Duration::from_mins(2);

/// Runs `tests/filter/workloads/<name>.py`, which has to succeed. Gives what was refused, each call once.
pub fn run(name: &str) -> Vec<Call> {
    let place = Place::new(name);
    let mut command = place.python();
    command.arg(place.path().join("workloads").join(name).with_extension("py"));
    let directory = place.path().to_owned();
    let (sender, receiver) = mpsc::channel();
    // The filter is this thread's and its child's. Descriptors are all threads', so the listener needs no way out.
    let child = thread::spawn(move || -> io::Result<Output> {
        become_ordinary(&directory)?;
        // As every worker is niced: a priority above that is none that a program could have.
        setpriority_process(None, NICENESS)?;
        set_no_new_privs(true)?;
        let listener = Listener::install(&asking(&Filter::default()))?;
        sender.send((listener, gettid())).map_err(io::Error::other)?;
        command.output()
    });
    let refused = match receiver.recv() {
        Ok((listener, thread)) => record(&listener, thread.as_raw_pid().cast_unsigned()),
        Err(_) => Vec::new(),
    };
    let output = child.join().expect("it does not panic").unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(
        output.status.success(),
        "{name}: {}\n{}{}\nrefused: {refused:#?}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    refused
}

/// The filter, with a question in the place of every refusal.
fn asking(filter: &Filter) -> Vec<libc::sock_filter> {
    let mut program = filter.instructions().to_vec();
    for instruction in &mut program {
        let returns = u32::from(instruction.code) == libc::BPF_RET | libc::BPF_K;
        if returns && instruction.k & libc::SECCOMP_RET_ACTION_FULL == libc::SECCOMP_RET_ERRNO {
            instruction.k = libc::SECCOMP_RET_USER_NOTIF;
        }
    }
    program
}

/// Answers every question as the filter would have, until all that it filters is gone. What `thread` asks, which
/// starts the program, is not the program's.
fn record(listener: &Listener, thread: u32) -> Vec<Call> {
    let (filter, deadline) = (Filter::default(), Instant::now() + PATIENCE);
    let mut refused = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "still running after {PATIENCE:?}; refused so far: {refused:#?}");
        let mut waiting = [PollFd::new(listener, PollFlags::IN)];
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        poll(&mut waiting, Some(&second)).expect("a listener can be waited for");
        let events = waiting[0].revents();
        if !events.contains(PollFlags::IN) {
            if events.contains(PollFlags::HUP) {
                return refused;
            }
            continue;
        }
        // A caller that a signal interrupts takes its question back.
        let Ok(notification) = listener.receive() else { continue };
        let call = Call::from(&notification.data);
        let action = crate::answer(&filter, &call);
        assert_eq!(action & libc::SECCOMP_RET_ACTION_FULL, libc::SECCOMP_RET_ERRNO, "{call:?}");
        let errno = (action & libc::SECCOMP_RET_DATA).cast_signed();
        let _ = listener.answer(notification.id, errno);
        if notification.pid != thread && !refused.contains(&call) {
            refused.push(call);
        }
    }
}

/// Where a program runs: a directory of its own, with what starts Python in place in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        // Short, for it becomes part of a script's first line.
        let path = std::env::temp_dir().join(format!("filter-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).expect("a fresh directory can be made");
        let place = Self(path);
        let workloads = place.path().join("workloads");
        for directory in [place.path(), &workloads, &place.path().join("home")] {
            std::fs::create_dir_all(directory).expect("a directory can be made");
            std::fs::set_permissions(directory, PermissionsExt::from_mode(0o777)).expect("it is ours");
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filter/workloads");
        for entry in std::fs::read_dir(source).expect("there are programs") {
            let entry = entry.expect("they can be listed");
            if entry.path().is_file() {
                std::fs::copy(entry.path(), workloads.join(entry.file_name())).expect("a program can be copied");
            }
        }
        place.write_executable();
        place
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// One file that can be executed as Python could be, had it its loader where it expects it.
    fn write_executable(&self) {
        let loader = self.path().join("loader");
        symlink(loader_of(&runtime()), &loader).expect("a link can be made");
        let python = self.path().join("python");
        symlink(runtime().join("usr/bin/python3.13"), &python).expect("a link can be made");
        let (loader, python) = (loader.display(), python.display());
        let script = format!(
            "#!{loader} {python}\nimport os, sys\nos.execv('{loader}', ['{loader}', '{python}', *sys.argv[1:]])\n"
        );
        let file = self.path().join("start");
        std::fs::write(&file, script).expect("a file can be written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("it is ours");
    }

    fn python(&self) -> Command {
        let runtime = runtime();
        let mut command = Command::new(loader_of(&runtime));
        command.arg(runtime.join("usr/bin/python3.13"));
        let home = self.path().join("home");
        command.current_dir(&home).env_clear().envs([
            ("LC_ALL", "C.UTF-8"),
            ("MPLBACKEND", "Agg"),
            ("OPENBLAS_NUM_THREADS", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONNOUSERSITE", "1"),
            ("TZ", "UTC"),
            ("USER", "sandbox"),
        ]);
        // There is no other program than Python for a script either.
        command.env("PATH", runtime.join("usr/bin"));
        for name in ["HOME", "TMPDIR", "MPLCONFIGDIR"] {
            command.env(name, &home);
        }
        command.env("LOCPATH", runtime.join("usr/lib/locale"));
        command.env("PYTHONTZPATH", runtime.join("usr/share/zoneinfo"));
        command.env("TERMINFO", runtime.join("usr/share/terminfo"));
        command.env("LD_LIBRARY_PATH", libraries(&runtime));
        command.env("PYTHONPATH", self.path().join("workloads"));
        command.env("PYTHON_IN_PLACE", self.path().join("start"));
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.path());
    }
}

fn runtime() -> PathBuf {
    let path = std::env::var_os("EXECUTOR_RUNTIME")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/layer/runtime"), PathBuf::from);
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}: run `make layer` first", path.display()))
}

fn libraries(runtime: &Path) -> PathBuf {
    runtime.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH))
}

fn loader_of(runtime: &Path) -> PathBuf {
    libraries(runtime).join(if cfg!(target_arch = "x86_64") { "ld-linux-x86-64.so.2" } else { "ld-linux-aarch64.so.1" })
}

/// Without privileges whoever runs the tests: as another user than root, where that one can reach the runtime, and
/// else as root without capabilities. These calls change the calling thread only.
fn become_ordinary(directory: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let for_others = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0);
    if runtime().ancestors().chain(directory.ancestors()).all(for_others) {
        let (uid, gid) = (Uid::from_raw(ORDINARY), Gid::from_raw(ORDINARY));
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
    }
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

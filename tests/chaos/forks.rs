//! Forks of the service that fail on demand, as where the kernel has no memory for one more process. No limit has this effect
//! alone, so a filter asks about each call (seccomp_unotify(2)).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};

use rustix::event::{PollFd, PollFlags, poll};

use super::Fallible;
use super::listener::Listener;

/// The calls that make processes. The C library makes threads by one of them, too.
#[cfg(target_arch = "x86_64")]
const CALLS: [libc::c_long; 4] = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const CALLS: [libc::c_long; 2] = [libc::SYS_clone, libc::SYS_clone3];

/// Switch that makes forks fail.
#[derive(Default)]
pub struct Forks(Arc<AtomicBool>);

/// Forks fail until this is dropped.
pub struct Failing<'a>(&'a Forks);

impl Forks {
    /// Starts a process whose forks are asked about, with those of all that comes of it.
    pub fn around<T: Send>(start: impl FnOnce() -> T + Send) -> Fallible<(T, Self)> {
        let forks = Self::default();
        let (give, take) = mpsc::channel();
        let is_ready = Arc::new(Barrier::new(2));
        let (fail, answers) = (Arc::clone(&forks.0), Arc::clone(&is_ready));
        // Without the filter: it must not wait for an answer of its own.
        std::thread::spawn(move || {
            let Ok(listener) = take.recv() else { return };
            drop(take);
            answers.wait();
            answer(&listener, &fail);
        });
        let filtered = || {
            give.send(Listener::install(&program())?).map_err(io::Error::other)?;
            is_ready.wait();
            Ok::<_, io::Error>(start())
        };
        // The filter is this thread's alone, and is inherited.
        let started = std::thread::scope(|scope| scope.spawn(filtered).join());
        let started = started.map_err(|_| "the service could not be started")?;
        Ok((started.map_err(|error| format!("a filter that asks: {error}"))?, forks))
    }

    pub fn fail(&self) -> Failing<'_> {
        self.0.store(true, Ordering::Relaxed);
        Failing(self)
    }
}

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

/// Asks about calls of these numbers, whatever the architecture: an answer to another call lets it go on, too.
fn program() -> Vec<libc::sock_filter> {
    let instruction = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let verdict = |verdict| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, verdict);
    let mut program = vec![instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (at, call) in CALLS.iter().enumerate() {
        // Over the other comparisons, and the first verdict.
        let to_question = (CALLS.len() - at) as u8;
        program.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_question, 0, *call as u32));
    }
    program.extend([verdict(libc::SECCOMP_RET_ALLOW), verdict(libc::SECCOMP_RET_USER_NOTIF)]);
    program
}

/// Answers until no filtered process is left. While forks do not fail, nothing is allocated here: the C library holds the
/// allocator's locks when this process forks, until the answer is there.
fn answer(listener: &Listener, fail: &AtomicBool) {
    loop {
        let mut asked = [PollFd::new(listener, PollFlags::IN)];
        if poll(&mut asked, None).is_ok() && asked[0].revents().contains(PollFlags::HUP) {
            return;
        }
        // A caller may be gone, or interrupted, before its question is read or answered.
        let Ok(call) = listener.receive() else { continue };
        let fails = fail.load(Ordering::Relaxed) && !makes_thread(&call);
        let _ = listener.answer(call.id, if fails { libc::ENOMEM } else { 0 });
    }
}

fn makes_thread(call: &libc::seccomp_notif) -> bool {
    let flags = match libc::c_long::from(call.data.nr) {
        libc::SYS_clone => Some(call.data.args[0]),
        // The first member of what it points to.
        libc::SYS_clone3 => memory(call.pid, call.data.args[0]),
        _ => None,
    };
    flags.is_some_and(|flags| flags & libc::CLONE_THREAD as u64 != 0)
}

fn memory(pid: u32, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, address).ok()?;
    Some(u64::from_ne_bytes(bytes))
}

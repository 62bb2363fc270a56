//! What the filter refuses to normal programs, on purpose, and why they work all the same; any other refusal is a fault.

use crate::calls::Call;
use crate::workload;

/// A refused call that a program copes with.
struct Expected {
    call: libc::c_long,
    /// The arguments that decide, by position.
    when: &'static [(usize, u64)],
    reason: &'static str,
}

const ANY: &[(usize, u64)] = &[];

const EXPECTED: &[Expected] = &[
    Expected { call: libc::SYS_clone3, when: ANY, reason: "the C library falls back to clone" },
    Expected {
        call: libc::SYS_openat2,
        when: ANY,
        reason: "it tells which names others have looked up; who uses it falls back to openat",
    },
    Expected { call: libc::SYS_fsync, when: ANY, reason: "it is said to be done: nothing of a script outlives it" },
    Expected { call: libc::SYS_fdatasync, when: ANY, reason: "as fsync" },
    Expected { call: libc::SYS_msync, when: ANY, reason: "as fsync" },
    Expected {
        call: libc::SYS_socket,
        when: ANY,
        reason: "no network; for names of users, the C library looks for a cache daemon and then into the files",
    },
    Expected { call: libc::SYS_mbind, when: ANY, reason: "BLAS binds its buffers to a node and does without" },
    Expected {
        call: libc::SYS_setfsuid,
        when: ANY,
        reason: "ncurses reads a terminal's description as its user, who it is already",
    },
    Expected { call: libc::SYS_setfsgid, when: ANY, reason: "as setfsuid" },
    Expected {
        call: libc::SYS_mmap,
        when: &[(3, (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64)],
        reason: "its size cannot be bounded; mmap.mmap(-1, n) fails, and files in /dev/shm do the same",
    },
    Expected {
        call: libc::SYS_sendfile,
        when: ANY,
        reason: "pages of files would stay in sockets by reference; shutil, socket and asyncio copy instead",
    },
    Expected { call: libc::SYS_splice, when: ANY, reason: "kernel surface; only os.splice uses it" },
    Expected {
        call: libc::SYS_sendmsg,
        when: ANY,
        reason: "it can name an address and hide memory; asyncio sends by it what a socketpair does not take at once",
    },
    Expected {
        call: libc::SYS_mknodat,
        when: ANY,
        reason: "os.mkfifo fails: no account shows what a FIFO holds; pipes do the same",
    },
];

fn is_expected(call: &Call) -> bool {
    EXPECTED.iter().any(|expected| {
        assert!(!expected.reason.is_empty());
        Call::new(expected.call, [0; 6]).number == call.number
            && expected.when.iter().all(|(position, value)| call.arguments[*position] == *value)
    })
}

fn needs_nothing_else(name: &str) {
    let refused = workload::run(name);
    let unexpected: Vec<&Call> = refused.iter().filter(|call| !is_expected(call)).collect();
    assert!(unexpected.is_empty(), "{name} asks for {unexpected:#?}");
}

/// Otherwise the tests below would show nothing.
#[test]
fn refused_calls_are_heard_of() {
    let refused = workload::run("use_files");
    let splice = Call::new(libc::SYS_splice, [0; 6]);
    assert!(refused.contains(&splice), "{refused:?}");
}

macro_rules! workloads {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            needs_nothing_else(stringify!($name));
        })*

        #[test]
        fn every_program_has_a_test() {
            let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filter/workloads");
            for entry in std::fs::read_dir(directory).expect("there are programs") {
                let path = entry.expect("they can be listed").path();
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                assert!(path.is_dir() || name == "sitecustomize" || [$(stringify!($name)),*].contains(&name.as_str()), "{name}");
            }
        }
    };
}

workloads! {
    import_packages import_stdlib use_matplotlib use_multiprocessing use_numpy use_pandas use_subprocess use_threads
    use_asyncio use_files use_databases use_signals use_modules
}

//! The attacks, each with the mechanisms that stand in its way.

use py_executor::sandbox::Mechanism::{
    self, Capabilities, Descriptors, Dumpable, Environment, Landlock, Namespaces, Nproc, Rlimits, Root, Scratch, Seal,
    Seccomp, Sweep, Watchdog,
};
use py_executor::sandbox::Promise;
use serde_json::{Value, json};

use crate::service::{MARKER, OPEN_FILES};

/// A script that does what it must not, and all that keeps it from that.
pub struct Attack {
    pub name: &'static str,
    pub program: &'static str,
    pub inputs: fn(&Scene) -> Value,
    /// Each of them holds it by itself: it succeeds if all are off, and if all but one are off it does not.
    pub locks: &'static [Mechanism],
    /// What is not kept where it succeeds; none where it is a step of an attack, and harms nobody by itself.
    pub breaks: Option<Promise>,
    pub trace: Trace,
}

/// What an attack has to know.
pub struct Scene {
    /// The service's process.
    pub service: u32,
    /// A name that nobody else uses.
    pub name: String,
    /// How long that is kept which is too much. Where nothing is expected to end it, a moment; elsewhere so long that
    /// even the slowest watchdog comes first.
    pub seconds: f64,
}

/// How its success is seen.
#[derive(Clone, Copy)]
pub enum Trace {
    /// Its result is `true`.
    Result,
    /// Its result is the path of a file, which is there afterwards.
    File,
    /// A directory in the machine's /var/tmp is there afterwards.
    Directory,
    /// A process of that name lives afterwards.
    Process,
    /// Its result is the number of a shared memory segment, which is there afterwards.
    Segment,
}

macro_rules! program {
    ($name:literal) => {
        include_str!(concat!("programs/", $name, ".py"))
    };
}

macro_rules! attack {
    ($name:literal, $locks:expr, $breaks:expr, $trace:ident, $inputs:expr) => {
        Attack {
            name: $name,
            program: program!($name),
            inputs: $inputs,
            locks: &$locks,
            breaks: $breaks,
            trace: Trace::$trace,
        }
    };
}

/// Where the attack by a directory leaves its mark: a place that is writable for everybody and no part of any scratch
/// space.
pub fn outside(name: &str) -> String {
    format!("/var/tmp/{name}")
}

#[rustfmt::skip]
pub const ALL: [Attack; 19] = [
    attack!("machine_file", [Root, Landlock, Seal], Some(Promise::NoFiles), Result, |_| json!({})),
    attack!("others_listed", [Namespaces, Landlock, Seal], Some(Promise::NoOtherProcesses), Result, |_| json!({})),
    // The seal cannot hold it: /health says so where it is all that there is.
    attack!("others_signalled", [Namespaces, Landlock, Seccomp], None, Result,
        |scene| json!({ "service": scene.service })),
    attack!("others_environment", [Dumpable, Namespaces, Landlock, Seal], Some(Promise::NoSecrets), Result,
        |scene| json!({ "service": scene.service, "word": MARKER })),
    attack!("others_memory", [Dumpable, Namespaces, Landlock, Seccomp], Some(Promise::NoSecrets), Result,
        |scene| json!({ "service": scene.service })),
    attack!("environment", [Environment], Some(Promise::NoSecrets), Result, |_| json!({ "name": MARKER })),
    attack!("descriptors", [Descriptors], Some(Promise::NoSecrets), Result, |_| json!({})),
    attack!("many_files", [Rlimits], Some(Promise::Bounded), Result, |_| json!({ "limit": OPEN_FILES })),
    attack!("many_processes", [Nproc, Watchdog], Some(Promise::Bounded), Result,
        |scene| json!({ "limit": 128, "seconds": scene.seconds })),
    attack!("large_block", [Rlimits, Watchdog], Some(Promise::Bounded), Result,
        |scene| json!({ "megabytes": 192, "seconds": scene.seconds })),
    attack!("many_blocks", [Watchdog], Some(Promise::Bounded), Result,
        |scene| json!({ "children": 4, "megabytes": 40, "seconds": scene.seconds })),
    attack!("hidden_memory", [Seccomp, Seal], Some(Promise::Bounded), Result,
        |scene| json!({ "files": 10, "megabytes": 15, "seconds": scene.seconds })),
    attack!("full_scratch", [Scratch, Watchdog], Some(Promise::Bounded), Result,
        |scene| json!({ "files": 3, "megabytes": 15, "seconds": scene.seconds })),
    attack!("socket_made", [Seccomp, Seal], Some(Promise::NoNetwork), Result, |_| json!({})),
    // The seal cannot hold it, and without a descriptor a new root leads nowhere.
    attack!("root_changed", [Capabilities, Seccomp], None, Result, |_| json!({})),
    attack!("left_file", [Scratch, Sweep], Some(Promise::NothingLeftBehind), File,
        |scene| json!({ "name": scene.name })),
    attack!("left_directory", [Namespaces, Landlock], Some(Promise::NothingLeftBehind), Directory,
        |scene| json!({ "path": outside(&scene.name) })),
    attack!("left_process", [Namespaces, Sweep, Seccomp, Seal], Some(Promise::NothingLeftBehind), Process,
        |scene| json!({ "name": scene.name, "seconds": 20 })),
    attack!("left_memory", [Namespaces, Seccomp, Sweep], Some(Promise::NothingLeftBehind), Segment, |_| json!({})),
];

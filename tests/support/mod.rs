//! What the tests of both front doors share: processes that never outlive a test, a running server,
//! replies compared to the letter, and Python source written inside Rust.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of this module")]

pub mod connection;
pub mod emulator;
pub mod group;
pub mod image;
pub mod jail;
pub mod json_members;
pub mod listening;
pub mod process;
pub mod python;
pub mod reply;
pub mod run_reply;
pub mod server;
pub mod tree;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

pub use process::{Log, Owned};
pub use python::{announcing, dedent};
pub use reply::{Reply, json_text};
pub use run_reply::RunReply;
pub use server::Server;

/// How long anything that must happen at all may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The runtime tree that scripts run in; a missing one fails the test.
pub fn runtime() -> PathBuf {
    let path = std::env::var_os("EXECUTOR_RUNTIME")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/layer/runtime"), PathBuf::from);
    assert!(path.is_dir(), "there is no runtime at {}: run `make layer` first", path.display());
    path
}

/// What this machine's processors are called in the names of what is built for them.
pub const ARCH: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// The Python that the layer is built with.
pub fn builder_python() -> Command {
    let project = emulator::project();
    let mut command = Command::new(project.join("target/layer/tools/python3"));
    command.arg("-B").current_dir(project);
    command
}

/// A directory of the test's own, removed with everything in it when dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(label: &str) -> Self {
        Self::within(&std::env::temp_dir(), label)
    }

    /// Elsewhere than where temporary files are.
    pub fn within(parent: &std::path::Path, label: &str) -> Self {
        let path = parent.join(format!("py-executor-{label}-{}", unique()));
        std::fs::create_dir(&path).expect("a fresh directory can be made");
        Self(path)
    }

    pub fn path(&self) -> &std::path::Path {
        &self.0
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file in a fresh directory can be written");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A short name that no other test, and no other run of the tests on this machine, uses.
pub fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("t{}n{number}", std::process::id())
}

/// Watches for something that only /proc can tell, until it is there or patience ends.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

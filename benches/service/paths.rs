//! Where everything is, and addresses for what listens.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Fallible;

pub struct Paths {
    /// The programs that are measured, of the same build as this one.
    pub server: PathBuf,
    pub lambda: PathBuf,
    pub emulator: PathBuf,
    pub runtime: PathBuf,
    /// The machine's own Python, free of what a version manager puts in front of it.
    pub python: PathBuf,
    /// What `benches/tools/setup` has installed.
    pub tools: PathBuf,
    pub yardsticks: PathBuf,
}

impl Paths {
    pub fn find() -> Fallible<Self> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let build = this.ancestors().nth(2).ok_or("this program is in no build directory")?;
        let runtime = std::env::var_os("EXECUTOR_RUNTIME")
            .map_or_else(|| project.join("target/layer/runtime"), PathBuf::from)
            .canonicalize()
            .map_err(|error| format!("there is no runtime ({error}): run `make layer`"))?;
        let place = Self {
            server: build.join("py-executor-server"),
            lambda: build.join("py-executor-lambda"),
            emulator: project.join("target/tools/bin/aws-lambda-rie"),
            runtime,
            python: machines_python()?,
            tools: project.join("target/bench/tools"),
            yardsticks: project.join("benches/yardsticks"),
        };
        for path in [&place.server, &place.lambda, &place.emulator, &place.tools] {
            if !path.exists() {
                return Err(format!("there is no {}: `make bench` makes what is needed", path.display()));
            }
        }
        Ok(place)
    }

    /// The directory of the runtime's libraries.
    pub fn libraries(&self) -> PathBuf {
        self.runtime.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH))
    }

    /// The runtime's loader, which starts programs of its distribution on this machine.
    pub fn loader(&self) -> PathBuf {
        let name = if cfg!(target_arch = "aarch64") { "ld-linux-aarch64.so.1" } else { "ld-linux-x86-64.so.2" };
        self.libraries().join(name)
    }
}

fn machines_python() -> Fallible<PathBuf> {
    let ask = ["-c", "import os, sys; print(os.path.realpath(sys.executable))"];
    let output = Command::new("python3").args(ask).output().map_err(|error| format!("python3: {error}"))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if path.is_file() { Ok(path) } else { Err("this machine has no python3, the yardstick of all".into()) }
}

/// An address that nothing else uses: in the loopback network, this process has a host number of its own.
pub fn free_address() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, 64 | high, middle, low), PORT.fetch_add(1, Ordering::Relaxed)).into()
}

/// Directories as PYTHONPATH wants them.
pub fn joined(directories: &[&Path]) -> Fallible<OsString> {
    std::env::join_paths(directories).map_err(|error| error.to_string())
}

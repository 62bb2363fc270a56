//! Where the programs are that the suite starts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Fallible;

/// Programs of the same build as this one, and the runtime.
pub struct Place {
    pub server: PathBuf,
    pub jail: PathBuf,
    pub runtime: PathBuf,
}

impl Place {
    pub fn find() -> Fallible<Self> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let build = this.ancestors().nth(2).ok_or("this program is in no build directory")?;
        let runtime = std::env::var_os("EXECUTOR_RUNTIME")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/layer/runtime"), PathBuf::from)
            .canonicalize()
            .map_err(|error| format!("there is no runtime ({error}): run `make layer`"))?;
        let place = Self { server: build.join("py-executor-server"), jail: build.join("examples/jail"), runtime };
        for path in [&place.server, &place.jail] {
            if !path.is_file() {
                return Err(format!("there is no {}: `make chaos` builds what is needed", path.display()));
            }
        }
        Ok(place)
    }
    /// Makes a runtime of one service's own, of links to the same files.
    pub fn copy_runtime(&self) -> Fallible<Runtime> {
        let parent = self.runtime.parent().ok_or("the runtime is the root directory")?;
        let copy = Runtime(parent.join(format!("chaos-{}", unique())));
        let mut link = Command::new("cp");
        link.args(["--archive", "--link"]).arg(&self.runtime).arg(&copy.0);
        match link.status() {
            Ok(status) if status.success() => Ok(copy),
            failed => Err(format!("cp to {}: {failed:?}", copy.0.display())),
        }
    }
}

/// The files of a runtime. Removed when dropped.
pub struct Runtime(PathBuf);

impl Runtime {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A name that no other service, and no other run, has.
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

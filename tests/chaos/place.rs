//! Where the programs are that the suite starts.

use std::path::{Path, PathBuf};

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
}

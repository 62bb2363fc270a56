//! API keys: who may have scripts run. Only their SHA-256 digests are configured, so that a configuration tells nobody a key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tracing::{error, info};

use super::key::{Key, KeyError, Presented, agree, parse};

/// How often a file of keys is looked at. It is read when it has stayed the same for so long: a key that was taken out is
/// refused after twice this time.
const LOOK: Duration = Duration::from_secs(1);

/// The keys that are accepted now.
pub struct Keys {
    fixed: Vec<Arc<Key>>,
    file: Option<PathBuf>,
    read: RwLock<Read>,
}

/// What was read of a file.
#[derive(Default)]
struct Read {
    keys: Vec<Arc<Key>>,
    version: Option<Version>,
}

/// Changes when a file does.
#[derive(Clone, PartialEq, Eq)]
struct Version {
    modified: Option<SystemTime>,
    bytes: u64,
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read the keys of {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Parse { path: PathBuf, source: KeyError },
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Keys {
    /// These keys, and those of a file, which must be there.
    pub fn new(fixed: Vec<Key>, file: Option<PathBuf>) -> Result<Self, FileError> {
        let fixed: Vec<_> = fixed.into_iter().map(Arc::new).collect();
        let read = file.as_deref().map(|path| read(path, &fixed)).transpose()?.unwrap_or_default();
        Ok(Self { fixed, file, read: RwLock::new(read) })
    }

    /// Whether requests need a key.
    pub fn are_wanted(&self) -> bool {
        self.file.is_some() || !self.fixed.is_empty()
    }

    /// Whose key this is. Takes as long whichever of them it is, and if it is none.
    pub fn find(&self, presented: &str) -> Option<Arc<Key>> {
        let presented = Presented::new(presented);
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for key in self.fixed.iter().chain(&read.keys) {
            if presented.is(key) {
                found = Some(key);
            }
        }
        found.cloned()
    }

    /// Reads the file again whenever it has changed. One that cannot be read leaves the keys as they are, because a key must
    /// not be lost to a half-written file; what is wrong is logged.
    pub async fn keep_reading(&self) {
        let Some(path) = self.file.as_deref() else { return };
        let mut seen = self.read.read().unwrap_or_else(PoisonError::into_inner).version.clone();
        // What is as it is in force, or was said to be wrong.
        let mut settled = seen.clone();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = version(path).ok();
            let is_still = now == seen;
            seen.clone_from(&now);
            if !is_still || now == settled {
                // One that is being written is not whole yet.
                continue;
            }
            match read(path, &self.fixed) {
                Ok(read) => {
                    info!(keys = read.keys.len(), "the file of API keys was read again");
                    *self.read.write().unwrap_or_else(PoisonError::into_inner) = read;
                }
                Err(error) => error!(%error, "the keys stay as they were"),
            }
            settled = now;
        }
    }
}

fn version(path: &Path) -> std::io::Result<Version> {
    let metadata = std::fs::metadata(path)?;
    Ok(Version { modified: metadata.modified().ok(), bytes: metadata.len() })
}

fn read(path: &Path, fixed: &[Arc<Key>]) -> Result<Read, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    // In this order: what changes meanwhile is read again.
    let version = version(path).map_err(failed)?;
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let wrong = |source| FileError::Parse { path: path.to_owned(), source };
    let keys: Vec<_> = parse(&text).map_err(wrong)?.into_iter().map(Arc::new).collect();
    agree(fixed.iter().chain(&keys).map(Arc::as_ref)).map_err(wrong)?;
    Ok(Read { keys, version: Some(version) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_key_is_known_by_its_digest() {
        let keys =
            Keys::new(parse(&format!("ci:{DIGEST}, other:{}", DIGEST.replace('9', "8"))).unwrap(), None).unwrap();
        assert_eq!(keys.find("test").map(|key| key.name.to_string()).as_deref(), Some("ci"));
        assert_eq!(keys.find("Test"), None);
        assert_eq!(keys.find(DIGEST), None);
    }
}

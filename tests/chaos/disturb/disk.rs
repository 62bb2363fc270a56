//! The file system of /tmp, as the service sees it, is full.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{BOTH, Disturbance, SPACE};
use crate::suite::Fallible;
use crate::suite::host::Host;

pub fn disturbances() -> Vec<Disturbance> {
    vec![Disturbance {
        name: "full-tmp",
        purpose: "/tmp is full",
        excuses: SPACE,
        postures: BOTH,
        act: |host, time| Box::pin(full(host, time)),
    }]
}

/// A file that takes all room that is left. Removed when dropped.
struct Filling {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Filling {
    fn new(host: &Host) -> Fallible<Self> {
        let path = host.tmp().join("filling");
        let file = File::create_new(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, file, bytes: 0 })
    }

    /// Takes what has become free.
    fn fill(&mut self) -> Fallible<()> {
        let block = vec![1; 64 << 10];
        loop {
            match self.file.write(&block) {
                Ok(bytes) => self.bytes += bytes as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(format!("{}: {error}", self.path.display())),
            }
        }
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn full(host: &Host, time: Duration) -> Fallible<String> {
    /// Scripts that were there before give back what they had.
    const PAUSE: Duration = Duration::from_millis(5);
    let (mut filling, end) = (Filling::new(host)?, Instant::now() + time);
    while Instant::now() < end {
        filling.fill()?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(format!("with {} MiB for {:.1} s", filling.bytes >> 20, time.as_secs_f32()))
}

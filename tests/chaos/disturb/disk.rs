//! The file system of /tmp, as the service sees it, is full.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

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
struct Filling(PathBuf);

impl Filling {
    fn new(host: &Host) -> Fallible<(Self, u64)> {
        let path = host.tmp().join("filling");
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut file = File::create_new(&path).map_err(failed)?;
        let (filling, mut written) = (Self(path.clone()), 0);
        let block = vec![1; 64 << 10];
        loop {
            match file.write(&block) {
                Ok(bytes) => written += bytes as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok((filling, written)),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn full(host: &Host, time: Duration) -> Fallible<String> {
    let (_filling, bytes) = Filling::new(host)?;
    tokio::time::sleep(time).await;
    Ok(format!("with {} MiB for {:.1} s", bytes >> 20, time.as_secs_f32()))
}

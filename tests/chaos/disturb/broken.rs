//! The host lacks what workers or zygotes need, so that no more of them can be made. The service has to say so, and to recover by
//! itself.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::{BOTH, Disturbance, NONE};
use crate::suite::Fallible;
use crate::suite::host::{Host, IsolationReport};

pub fn disturbances() -> Vec<Disturbance> {
    let lack = |name, purpose, postures, act| Disturbance { name, purpose, excuses: NONE, postures, act };
    vec![
        lack("null-device", "no worker can open /dev/null", BOTH, |host, time| Box::pin(null_device(host, time))),
        // Elsewhere zygotes have a /dev of their own, which is read-only.
        lack("full-dev", "/dev and /dev/shm are full", &[IsolationReport::Container], |host, time| {
            Box::pin(full_dev(host, time))
        }),
        lack("runtime-file", "Python's library is gone, and the zygotes are killed", BOTH, |host, time| {
            Box::pin(runtime_file(host, time))
        }),
    ]
}

/// Undoes something when it is dropped.
struct Undo<F: FnMut() -> std::io::Result<()>>(F);

impl<F: FnMut() -> std::io::Result<()>> Drop for Undo<F> {
    fn drop(&mut self) {
        if let Err(error) = (self.0)() {
            eprintln!("chaos: {error}");
        }
    }
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// A path as the service sees it. It must not be the machine's own.
fn own(host: &Host, path: &str) -> Fallible<PathBuf> {
    let inside = PathBuf::from(format!("/proc/{}/root{path}", host.service));
    let [found, machine] = [&inside, Path::new(path)].map(|path| std::fs::metadata(path).map_err(at(path)));
    let (found, machine) = (found?, machine?);
    if (found.dev(), found.ino()) == (machine.dev(), machine.ino()) {
        return Err(format!("{path} is the machine's"));
    }
    Ok(inside)
}

async fn null_device(host: &Host, time: Duration) -> Fallible<String> {
    let null = own(host, "/dev/null")?;
    let set = |mode| std::fs::set_permissions(&null, Permissions::from_mode(mode));
    let _repaired = Undo(|| set(0o666));
    set(0).map_err(at(&null))?;
    let cause = host.unwell("Permission denied: '/dev/null'").await?;
    tokio::time::sleep(time).await;
    Ok(cause)
}

async fn full_dev(host: &Host, time: Duration) -> Fallible<String> {
    let mut bytes = 0;
    let mut fillings = Vec::new();
    for directory in ["/dev", "/dev/shm"] {
        let path = own(host, directory)?.join("filling");
        let mut file = File::create_new(&path).map_err(at(&path))?;
        fillings.push(Undo(move || std::fs::remove_file(&path)));
        let block = [1; 4 << 10];
        while let Ok(written) = file.write(&block) {
            bytes += written;
        }
    }
    tokio::time::sleep(time).await;
    Ok(format!("with {} KiB for {:.1} s", bytes >> 10, time.as_secs_f32()))
}

/// As the name of Python's library begins and ends.
const LIBRARY: [&str; 2] = ["libpython3.", ".so.1.0"];

fn library(runtime: &Path) -> Option<PathBuf> {
    let entries = |directory: PathBuf| std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let files = entries(runtime.join("usr/lib")).flat_map(|directory| entries(directory.path()));
    let is_library = |name: &str| name.starts_with(LIBRARY[0]) && name.ends_with(LIBRARY[1]);
    files.map(|file| file.path()).find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_library))
}

async fn runtime_file(host: &Host, time: Duration) -> Fallible<String> {
    let library = library(host.runtime.path()).ok_or("the runtime has no library of Python")?;
    let gone = library.with_file_name("gone");
    let _repaired = Undo(|| std::fs::rename(&gone, &library));
    std::fs::rename(&library, &gone).map_err(at(&library))?;
    let tree = host.tree();
    for zygote in tree.zygotes.iter().filter_map(|pid| tree.watch(*pid)) {
        zygote.signal(Signal::KILL);
    }
    let cause = host.unwell(LIBRARY[0]).await?;
    tokio::time::sleep(time).await;
    Ok(cause)
}

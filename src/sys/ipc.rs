//! System V IPC objects (sysvipc(7)): they belong to nobody's descriptors and outlive processes.

use std::fs;
use std::io;

use rustix::process::geteuid;

/// A kind of object, and where the columns of its list in /proc/sysvipc are that matter here (proc_sysvipc(5)).
struct Kind {
    list: &'static str,
    creator: usize,
    bytes: fn(&[u64]) -> u64,
    remove: fn(libc::c_int) -> libc::c_int,
}

/// What a message and a semaphore take in the kernel, rounded up; bytes.
const MESSAGE_BYTES: u64 = 64;
const SEMAPHORE_BYTES: u64 = 128;

const KINDS: [Kind; 3] = [
    Kind { list: "/proc/sysvipc/shm", creator: 9, bytes: |columns| column(columns, 14), remove: remove_memory },
    Kind {
        list: "/proc/sysvipc/msg",
        creator: 9,
        bytes: |columns| column(columns, 3) + column(columns, 4) * MESSAGE_BYTES,
        remove: remove_messages,
    },
    Kind {
        list: "/proc/sysvipc/sem",
        creator: 6,
        bytes: |columns| column(columns, 3) * SEMAPHORE_BYTES,
        remove: remove_semaphores,
    },
];

/// Removes all that processes of this user have made.
pub fn remove_ipc_objects() -> io::Result<()> {
    for kind in &KINDS {
        for columns in own(kind) {
            let id = libc::c_int::try_from(column(&columns, 1)).unwrap_or(-1);
            // Somebody else may have removed it meanwhile.
            if (kind.remove)(id) != 0 && io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL) {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

/// Bytes of memory that this user's objects take, attached or not.
pub fn ipc_bytes() -> u64 {
    KINDS.iter().flat_map(|kind| own(kind).into_iter().map(kind.bytes_of())).sum()
}

impl Kind {
    fn bytes_of(&self) -> impl Fn(Vec<u64>) -> u64 {
        let bytes = self.bytes;
        move |columns| bytes(&columns)
    }
}

/// The rows of a list that are this user's. A kernel without System V IPC has no list.
fn own(kind: &Kind) -> Vec<Vec<u64>> {
    let user = u64::from(geteuid().as_raw());
    let list = fs::read_to_string(kind.list).unwrap_or_default();
    let rows = list.lines().skip(1).map(|line| line.split_whitespace().map(|text| text.parse().unwrap_or(0)).collect());
    rows.filter(|columns: &Vec<u64>| columns.get(kind.creator) == Some(&user)).collect()
}

fn column(columns: &[u64], index: usize) -> u64 {
    columns.get(index).copied().unwrap_or(0)
}

fn remove_memory(id: libc::c_int) -> libc::c_int {
    // SAFETY: IPC_RMID takes no buffer.
    unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) }
}

fn remove_messages(id: libc::c_int) -> libc::c_int {
    // SAFETY: IPC_RMID takes no buffer.
    unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) }
}

fn remove_semaphores(id: libc::c_int) -> libc::c_int {
    // SAFETY: IPC_RMID takes no fourth argument.
    unsafe { libc::semctl(id, 0, libc::IPC_RMID) }
}

//! Descriptors that a process got from the one that started it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use tokio::io::unix::AsyncFd;

/// Takes ownership of a descriptor that this process was started with.
///
/// # Safety
/// `number` must be open, and nothing else in this process may own it.
pub unsafe fn inherited(number: RawFd) -> OwnedFd {
    // SAFETY: the caller promises that the descriptor is open and not owned.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// As [`inherited`], for a descriptor that may not be there.
///
/// # Safety
/// If `number` is open, nothing else in this process may own it.
pub unsafe fn inherited_if_open(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: reading flags changes nothing, and a number that is not open is an error.
    let is_open = unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    // SAFETY: the caller promises that the descriptor is not owned.
    is_open.then(|| unsafe { inherited(number) })
}

/// Gives a descriptor a number under which the next program of this process inherits it.
///
/// # Safety
/// If `number` is open, nothing in this process may use it any more.
pub unsafe fn dup_to(descriptor: impl AsFd, number: RawFd) -> std::io::Result<()> {
    // SAFETY: the caller promises that the number is free.
    match unsafe { libc::dup2(descriptor.as_fd().as_raw_fd(), number) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Keeps a descriptor that this process was started with from the programs that it starts.
pub fn close_on_exec(number: RawFd) -> std::io::Result<()> {
    // SAFETY: the flag says nothing about the descriptor's owner, and a number that is not open is an error.
    match unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// No descriptor is larger than a C int; gVisor takes larger bounds for negative ones.
const BEYOND: u32 = i32::MAX.cast_unsigned();

/// Closes every descriptor but 0, 1, 2 and `keep` (close_range(2), Linux 5.9).
///
/// # Safety
/// No other value of this process may use a descriptor afterwards that is not in `keep`: call it in a child that has
/// just been forked and that forgets what it does not keep.
pub unsafe fn close_all_but(keep: &[BorrowedFd<'_>]) -> std::io::Result<()> {
    let mut kept: Vec<u32> = keep.iter().map(|fd| fd.as_raw_fd().cast_unsigned()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for end in kept.into_iter().chain([BEYOND]) {
        if end > first {
            // SAFETY: the call only closes descriptors, and the caller promises that none of them is used again.
            let result = unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) };
            if result != 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        first = first.max(end.saturating_add(1));
    }
    Ok(())
}

/// Whether a regular file is among the first `limit` descriptors of this process, standard ones excepted.
pub fn has_open_file(limit: u64) -> bool {
    (3..i32::try_from(limit).unwrap_or(i32::MAX)).any(|number| {
        let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the pointer is valid for the time of the call, which fills it in if it succeeds; of a number that is no
        // descriptor it says so.
        unsafe {
            libc::fstat(number, stat.as_mut_ptr()) == 0 && stat.assume_init().st_mode & libc::S_IFMT == libc::S_IFREG
        }
    })
}

/// Lets tokio wait for a descriptor.
pub fn watched(fd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the value owns its descriptor, and gives the same one for as long as it lives.
    Ok(unsafe { AsyncFd::register(fd) }?)
}

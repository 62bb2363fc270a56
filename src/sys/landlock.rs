//! The two calls of Landlock (landlock(7)) that the `landlock` crate has only in one with others.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `LANDLOCK_CREATE_RULESET_VERSION`
const VERSION: u32 = 1;

/// The version that the kernel has; 0 for none.
pub fn landlock_version() -> i64 {
    // SAFETY: with this flag the call takes nothing and makes nothing.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) }.max(0)
}

/// Puts this thread, and whatever comes of it, under a ruleset.
pub fn landlock_restrict_self(ruleset: impl AsFd) -> io::Result<()> {
    // SAFETY: the call reads nothing of this process.
    match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_fd().as_raw_fd(), 0_u32) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

//! A filter that asks about calls (seccomp_unotify(2)). The only unsafe code of these tests.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The other end of a filter whose refusals are questions.
pub struct Listener(OwnedFd);

impl Listener {
    /// Filters this thread, and all that it starts, by `program`. As root, or with no_new_privs set.
    pub fn install(program: &[libc::sock_filter]) -> io::Result<Self> {
        let length = u16::try_from(program.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
        // SAFETY: the kernel copies the program, which is valid for the time of the call, and only reads it.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
                &raw const program,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next refused call; waits for it.
    pub fn receive(&self) -> io::Result<libc::seccomp_notif> {
        // SAFETY: the structure is plain data, for which all zeroes is a value, and the kernel asks for zeroes.
        let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request writes one structure of this type, which outlives the call.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notification) } {
            0 => Ok(notification),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Lets a call fail with this errno, or go on if it is 0.
    pub fn answer(&self, id: u64, errno: i32) -> io::Result<()> {
        let flags = if errno == 0 { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 } else { 0 };
        let mut response = libc::seccomp_notif_resp { id, val: 0, error: -errno, flags };
        // SAFETY: the request reads one structure of this type, which outlives the call.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

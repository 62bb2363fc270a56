//! Executing a program that is known by a descriptor.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Replaces this process by the program behind `program` (execveat(2), Linux 3.19). Returns only on failure.
pub fn execute(program: BorrowedFd<'_>, arguments: &[&CStr], environment: &[CString]) -> io::Error {
    let pointers =
        |strings: &mut dyn Iterator<Item = *const libc::c_char>| strings.chain([std::ptr::null()]).collect::<Vec<_>>();
    let argv = pointers(&mut arguments.iter().map(|string| string.as_ptr()));
    let envp = pointers(&mut environment.iter().map(|string| string.as_ptr()));
    // SAFETY: both arrays end with a null pointer, and all strings outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

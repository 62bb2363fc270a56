//! Executing a program that is known by a descriptor.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

unsafe extern "C" {
    static environ: *const *const libc::c_char;
}

/// Replaces this process by the program behind `program` (execveat(2), Linux 3.19). Returns only on failure.
pub fn execute(program: BorrowedFd<'_>, arguments: &[&CStr], environment: &[CString]) -> io::Error {
    let envp = pointers(environment.iter().map(CString::as_c_str));
    // SAFETY: the array ends with a null pointer, and its strings outlive the call.
    unsafe { execute_with(program, arguments, envp.as_ptr()) }
}

/// The same with this process's environment.
pub fn execute_again(program: BorrowedFd<'_>, arguments: &[&CStr]) -> io::Error {
    // SAFETY: the C library keeps its array well-formed. Nothing changes it: there is one thread at this time.
    unsafe { execute_with(program, arguments, environ) }
}

/// # Safety
/// `environment` must be an array of strings that ends with a null pointer.
unsafe fn execute_with(
    program: BorrowedFd<'_>,
    arguments: &[&CStr],
    environment: *const *const libc::c_char,
) -> io::Error {
    let argv = pointers(arguments.iter().copied());
    // SAFETY: both arrays end with a null pointer, and all strings outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            environment,
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

fn pointers<'a>(strings: impl Iterator<Item = &'a CStr>) -> Vec<*const libc::c_char> {
    strings.map(CStr::as_ptr).chain([std::ptr::null()]).collect()
}

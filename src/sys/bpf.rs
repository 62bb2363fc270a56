//! Installing a seccomp filter.

use std::io;

/// One instruction of a classic BPF program, as the kernel defines it.
pub type Instruction = libc::sock_filter;

/// Filters the system calls of this thread and of all that it makes from now on (seccomp(2), Linux 3.17).
/// It needs no_new_privs.
pub fn install_filter(program: &[Instruction]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, which is valid for the time of the call, and only reads it.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

//! The C library's own output streams, which C extensions and ctypes write to.

unsafe extern "C" {
    static stdout: *mut libc::FILE;
}

/// Makes C's stdout unbuffered: what printf wrote before a crash or a kill is already in the pipe, in order.
pub fn unbuffer_c_stdout() {
    // SAFETY: `stdout` is the C library's stream, set before main, and no buffer of ours is handed over.
    unsafe { libc::setvbuf(stdout, std::ptr::null_mut(), libc::_IONBF, 0) };
}

/// Writes out what any C stream still holds.
pub fn flush_c_streams() {
    // SAFETY: a null pointer means all streams (fflush(3)).
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

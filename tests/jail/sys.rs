//! The system calls that rustix does not wrap, or does not wrap as safe: the only unsafe code of the jail.

use std::io;

use rustix::thread::UnshareFlags;
use seccompiler::sock_filter;

use crate::kind::Attribute;

/// Enters namespaces of this process's own (unshare(2)).
pub fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    assert!(!flags.contains(UnshareFlags::FILES), "descriptors stay shared");
    // SAFETY: only `FILES` can take descriptors away from somebody, and it is not among the flags.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Adds attributes to the root's mount and all below it (mount_setattr(2)).
pub fn set_attributes_of_all_mounts(attributes: &[Attribute]) -> io::Result<()> {
    let bits = attributes.iter().map(|attribute| match attribute {
        Attribute::ReadOnly => libc::MOUNT_ATTR_RDONLY,
        Attribute::NoSetuid => libc::MOUNT_ATTR_NOSUID,
        Attribute::NoDevices => libc::MOUNT_ATTR_NODEV,
    });
    let change =
        libc::mount_attr { attr_set: bits.fold(0, |all, bit| all | bit), attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path ends in a zero byte, and `change` lives through the call, which reads as many bytes as it has.
    let status = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            libc::AT_RECURSIVE,
            &raw const change,
            size_of_val(&change),
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Installs a filter on this process (seccomp(2)), with no_new_privs or without.
pub fn install_filter(program: &[sock_filter]) -> io::Result<()> {
    let mut instructions: Vec<libc::sock_filter> =
        program.iter().map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect();
    let len = u16::try_from(instructions.len()).expect("a compiled filter has at most 4096 instructions");
    let program = libc::sock_fprog { len, filter: instructions.as_mut_ptr() };
    // SAFETY: the kernel copies `len` instructions from the vector, which lives through the call and is not changed.
    let status = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0_u64, &raw const program) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

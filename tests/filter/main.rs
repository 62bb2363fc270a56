//! The system call filter: it refuses nothing that normal use needs, and is never wider than Docker's default profile.

mod calls;
mod docker;
mod expected;
#[path = "../../src/sandbox/seccomp/program/interpreter.rs"]
mod interpreter;
mod listener;
mod properties;
mod workload;

use py_executor::sandbox::seccomp::Filter;

use calls::Call;

/// AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// What the project's filter says to a call.
fn answer(filter: &Filter, call: &Call) -> u32 {
    interpreter::run(filter.instructions(), ARCHITECTURE, call.number, call.arguments)
}

const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
/// For extended attributes.
const ENOTSUP: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOTSUP.cast_unsigned();
/// Done at once, and nothing happens.
const DONE: u32 = libc::SECCOMP_RET_ERRNO;

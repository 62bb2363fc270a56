"""Hides a refused argument in the half of a register that a filter or the kernel might not look at: in vain."""
import ctypes
import os
import platform
import signal

libc = ctypes.CDLL(None, use_errno=True)
CLONE, UNSHARE, PRCTL, SOCKET, PAIR, MMAP, PRLIMIT, IOCTL, PERSONALITY, PTRACE = {
    "x86_64": (56, 272, 157, 41, 53, 9, 302, 16, 135, 101),
    "aarch64": (220, 97, 167, 198, 199, 222, 261, 29, 92, 117),
}[platform.machine()]
HIGH = (1 << 32, 1 << 63, 0xFFFFFFFF << 32)
NEWUSER, NEWNET, SHARED_ANONYMOUS = 0x10000000, 0x40000000, 0x21


def call(number, *arguments):
    return libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(value & (2**64 - 1)) for value in arguments])


def clone(flags):
    child = call(CLONE, flags | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    if child > 0:
        os.waitpid(child, 0)
    return child > 0


def attempts(high, filtered):
    pair = (ctypes.c_int * 2)()
    old = (ctypes.c_ulong * 2)()
    for flag in (NEWUSER, NEWNET | NEWUSER):
        yield f"clone {flag:#x}", lambda flag=flag: clone(high | flag)
        yield f"unshare {flag:#x}", lambda flag=flag: call(UNSHARE, high | flag) == 0
    yield "socket", lambda: call(SOCKET, high | 2, 1, 0) >= 0
    yield "socket kind", lambda: call(SOCKET, 2, high | 2, 0) >= 0
    yield "datagram pair", lambda: call(PAIR, high | 1, high | 2, 0, ctypes.addressof(pair)) == 0
    yield "dumpable", lambda: call(PRCTL, high | 4, 1, 0, 0, 0) == 0
    yield "limits of init", lambda: os.getpid() != 1 and call(PRLIMIT, high | 1, 7, 0, ctypes.addressof(old)) == 0
    yield "terminal", lambda: call(IOCTL, 0, high | 0x5412, ctypes.addressof(pair)) == 0
    if filtered:  # else it may be had without a trick; it is the process's own
        yield "personality", lambda: call(PERSONALITY, high | 0x0040000) not in (-1, 0xFFFFFFFF)
    yield "ptrace init", lambda: os.getpid() != 1 and call(PTRACE, high | 0x4206, high | 1, 0, 0) == 0


def main(filtered=True):
    tried, breaches = 0, []
    for high in HIGH:
        for name, attempt in attempts(high, filtered):
            tried += 1
            if attempt():
                breaches.append(f"{name} with {high:#x}")
    return {"tried": tried, "breaches": breaches}

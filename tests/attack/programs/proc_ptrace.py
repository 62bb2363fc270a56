"""Attaches to other processes, reads their memory and takes their descriptors: all is refused."""
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
READV, WRITEV, PIDFD_OPEN, PIDFD_GETFD, KCMP = {
    "x86_64": (310, 311, 434, 438, 312),
    "aarch64": (270, 271, 434, 438, 272),
}[platform.machine()]
ATTACH, SEIZE = 16, 0x4206


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def seized(breaches, target):
    return f"ptrace seize {target}" in breaches


def main(foreign=()):
    breaches, tried = [], 0
    buffer = ctypes.create_string_buffer(8)
    here = Piece(ctypes.addressof(buffer), 8)
    # A place that every process which was forked from the same one has.
    there = Piece(ctypes.addressof(ctypes.c_long.in_dll(libc, "environ")), 8)
    for target in {os.getppid(), 1, *foreign} - {0, os.getpid()}:
        for name, attempt in {
            # The first that works stops nobody, and ends with this process; the second is for where it does not.
            "ptrace seize": lambda: libc.ptrace(SEIZE, target, None, None),
            "ptrace attach": lambda: -1 if seized(breaches, target) else libc.ptrace(ATTACH, target, None, None),
            "read memory": lambda: libc.syscall(READV, target, ctypes.byref(here), 1, ctypes.byref(there), 1, 0),
            # What was just read, so that a process which can be written to survives it.
            "write memory": lambda: libc.syscall(WRITEV, target, ctypes.byref(here), 1, ctypes.byref(there), 1, 0),
            "compare": lambda: libc.syscall(KCMP, os.getpid(), target, 0, 0, 0),
        }.items():
            tried += 1
            if attempt() != -1:
                breaches.append(f"{name} {target}")
        handle = libc.syscall(PIDFD_OPEN, target, 0)
        for number in range(64) if handle >= 0 else ():
            tried += 1
            if libc.syscall(PIDFD_GETFD, handle, number, 0) >= 0:
                breaches.append(f"descriptor {number} of {target}")
    return {"tried": tried, "breaches": breaches}

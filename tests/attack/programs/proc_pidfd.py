"""Holds other processes by descriptor, signals them by it and takes their descriptors: all is refused."""
import ctypes
import os
import platform
import signal

libc = ctypes.CDLL(None, use_errno=True)
OPEN, SIGNAL, GETFD, MADVISE, QUEUE = {
    "x86_64": (434, 424, 438, 440, 129),
    "aarch64": (434, 424, 438, 440, 138),
}[platform.machine()]


def main(init=True):
    tried, breaches = 0, []
    own = {0, os.getpid()} | ({1} if init else set())
    for target in range(1, 2000):
        handle = libc.syscall(OPEN, target, 0)
        tried += 1
        if handle < 0:
            continue
        if target not in own:
            if libc.syscall(SIGNAL, handle, 0, None, 0) == 0:
                breaches.append(f"signal by descriptor to {target}")
            if os.path.exists(f"/proc/{target}/stat"):
                breaches.append(f"process {target} is visible")
        if target != os.getpid():
            for number in range(32):
                if libc.syscall(GETFD, handle, number, 0) >= 0:
                    breaches.append(f"descriptor {number} of {target}")
            if libc.syscall(MADVISE, handle, None, 0, 4, 0) == 0:
                breaches.append(f"madvise of {target}")
        os.close(handle)
    for target in {1, os.getppid()} - {os.getpid()}:
        tried += 1
        info = (ctypes.c_int * 32)(signal.SIGCONT, 0, -1)
        if libc.syscall(QUEUE, target, 0, info) == 0 and target not in own:
            breaches.append(f"queued signal to {target}")
    return {"tried": tried, "breaches": breaches}

"""Looks at every descriptor that it was given: its standard streams, pipes and Unix sockets of its own run."""
import ctypes
import os
import stat

libc = ctypes.CDLL(None, use_errno=True)
SOL_SOCKET, SO_DOMAIN, AF_UNIX = 1, 39, 1


def main():
    breaches, found = [], []
    for number in range(0, 4096):
        try:
            status = os.fstat(number)
            mode = status.st_mode
        except OSError:
            continue
        found.append(number)
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            target = "unknown"
        if stat.S_ISFIFO(mode):
            continue
        if stat.S_ISSOCK(mode):
            domain, size = ctypes.c_int(), ctypes.c_uint(4)
            libc.getsockopt(number, SOL_SOCKET, SO_DOMAIN, ctypes.byref(domain), ctypes.byref(size))
            if domain.value == AF_UNIX:
                continue
        if number == 0 and target in ("/dev/null", "/memfd:stdin (deleted)"):
            continue
        if number == 0 and target == "unknown" and (status.st_nlink == 0 or status.st_rdev == os.makedev(1, 3)):
            continue
        breaches.append(f"{number}: {target} {stat.filemode(mode)}")
    return {"tried": len(found), "breaches": breaches}

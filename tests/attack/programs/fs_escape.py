"""Leaves its root by the calls that move roots and mounts, and by handles: all are refused."""
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
OPEN_BY_HANDLE = {"x86_64": 304, "aarch64": 265}[platform.machine()]


def main(canary="/proc/1/root/etc/hostname"):
    breaches, tried = [], 0
    try:
        os.mkdir("jail")
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        root = 0
    attempts = {
        "chroot": lambda: libc.chroot(b"jail"),
        "chroot /": lambda: libc.chroot(b"/"),
        "bind mount": lambda: libc.mount(b"/", b"jail", None, 4096 | 16384, None),
        "proc mount": lambda: libc.mount(b"proc", b"jail", b"proc", 0, None),
        "tmpfs mount": lambda: libc.mount(b"tmpfs", b"jail", b"tmpfs", 0, None),
        "remount": lambda: libc.mount(None, b"/", None, 32 | 4096, None),
        "unmount": lambda: libc.umount2(b"/proc", 2),
        "unmount root": lambda: libc.umount2(b"/", 2),
        "pivot": lambda: libc.syscall({"x86_64": 155, "aarch64": 41}[platform.machine()], b".", b"jail"),
    }
    for name, attempt in attempts.items():
        tried += 1
        if attempt() == 0:
            breaches.append(name)
    for inode in range(2, 200):
        tried += 1
        handle = (ctypes.c_uint * 4)(8, 1, inode, 0)
        if libc.syscall(OPEN_BY_HANDLE, root, handle, 0) >= 0:
            breaches.append(f"inode {inode} by handle")
    try:
        os.fchdir(root)
        for _ in range(50):
            os.chdir("..")
    except OSError:
        pass
    if os.path.exists(canary) or os.path.exists(canary.lstrip("/")):
        breaches.append("walked out")
    return {"tried": tried, "breaches": breaches}

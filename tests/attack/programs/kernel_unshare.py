"""Makes and enters namespaces by every call there is: all are refused."""
import ctypes
import os
import platform
import signal

libc = ctypes.CDLL(None, use_errno=True)
CLONE, CLONE3 = {"x86_64": (56, 435), "aarch64": (220, 435)}[platform.machine()]
KINDS = {
    "user": 0x10000000,
    "mnt": 0x00020000,
    "net": 0x40000000,
    "pid": 0x20000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "cgroup": 0x02000000,
    "time": 0x00000080,
}


def main():
    breaches, tried = [], 0
    for name, flag in KINDS.items():
        for extra in (0, KINDS["user"], 1 << 32):
            tried += 2
            if libc.syscall(ctypes.c_long({"x86_64": 272, "aarch64": 97}[platform.machine()]), ctypes.c_long(flag | extra)) == 0:
                breaches.append(f"unshare {name}")
            arguments = (ctypes.c_uint64 * 11)(flag | extra & 0xFFFFFFFF, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
            child = libc.syscall(CLONE3, arguments, 88)
            if child == 0:
                os._exit(0)
            if child > 0:
                breaches.append(f"clone3 {name}")
            if name == "time":
                continue  # its bit is part of the exit signal in the older call
            tried += 1
            child = libc.syscall(ctypes.c_long(CLONE), ctypes.c_long(flag | extra | signal.SIGCHLD), 0, 0, 0, 0)
            if child == 0:
                os._exit(0)
            if child > 0:
                breaches.append(f"clone {name}")
        for target in ("self", "1"):
            tried += 1
            try:
                handle = os.open(f"/proc/{target}/ns/{name}", os.O_RDONLY)
            except OSError:
                continue
            if libc.setns(handle, 0) == 0:
                breaches.append(f"setns {name} of {target}")
    return {"tried": tried, "breaches": breaches}

"""Changes what it is by prctl, personality and seccomp: it stays what it is."""
import ctypes
import errno
import platform

libc = ctypes.CDLL(None, use_errno=True)
PERSONALITY, SECCOMP = {"x86_64": (135, 317), "aarch64": (92, 277)}[platform.machine()]
OPTIONS = {
    "dumpable": (4, 1),
    "any tracer": (0x59616D61, -1),
    "parent as tracer": (0x59616D61, 1),
    "memory map": (35, 1),
    "executable": (35, 13),
    "secure bits": (28, 0),
    "keep capabilities": (8, 1),
    "ambient capability": (47, 2),
    "subreaper": (36, 1),
    "machine checks": (33, 1),
    "speculation": (53, 0),
    "no new privileges": (38, 0),
    "tagged addresses": (55, 1),
    "scheduling cookie": (62, 1),
}


def main(filtered=True):
    breaches = []
    for name, (option, value) in OPTIONS.items():
        ctypes.set_errno(0)
        if libc.prctl(option, ctypes.c_long(value), 0, 0, 0) == 0:
            breaches.append(name)
    # Without a filter it may change these, which are its own.
    for flag in (0x0040000, 0x0400000, 0x0100000, 0x8) if filtered else ():
        # The call answers with what was before; asking alone would be no harm.
        if libc.syscall(PERSONALITY, ctypes.c_ulong(flag)) != -1:
            breaches.append(f"personality {flag:#x}")
    if libc.syscall(SECCOMP, 1, 8, None) != -1:
        breaches.append("a listener for system calls")
    if libc.prctl(3, 0, 0, 0, 0) not in (0, 2) and ctypes.get_errno() != errno.EPERM:
        breaches.append("it is dumpable")
    return {"tried": len(OPTIONS) + 5, "breaches": breaches}

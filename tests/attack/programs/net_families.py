"""Opens sockets of every family, by libc and by the bare system call: none can be opened."""
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
SOCKET, SOCKETPAIR = {"x86_64": (41, 53), "aarch64": (198, 199)}[platform.machine()]
AF_UNIX = 1


def main():
    breaches, tried = [], 0
    for family in [*range(0, 64), 1 << 8, (1 << 32) + 2, -1]:
        for kind in (1, 2, 3, 4, 5, 6, 10, 1 | 0o4000, 1 | 0o2000000):
            for protocol in (0, 1, 6, 17, 255):
                tried += 1
                if libc.socket(family & 0xFFFFFFFF, kind, protocol) >= 0:
                    breaches.append(f"socket({family}, {kind}, {protocol})")
                if libc.syscall(ctypes.c_long(SOCKET), ctypes.c_long(family), kind, protocol) >= 0:
                    breaches.append(f"system call: socket({family}, {kind}, {protocol})")
            pair = (ctypes.c_int * 2)()
            made = libc.syscall(ctypes.c_long(SOCKETPAIR), ctypes.c_long(family), kind, 0, pair) >= 0
            if made and family & 0xFFFFFFFF != AF_UNIX:
                breaches.append(f"socketpair({family}, {kind})")
            for descriptor in pair if made else ():
                libc.close(descriptor)
    return {"tried": tried, "breaches": breaches}

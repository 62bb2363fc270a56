"""Comes to a network by calls other than socket(2): none gives one."""
import ctypes
import os
import platform
import socket

libc = ctypes.CDLL(None, use_errno=True)
IO_URING_SETUP, SENDMSG, BIND, LISTEN, ACCEPT = {
    "x86_64": (425, 46, 49, 50, 43),
    "aarch64": (425, 211, 200, 201, 202),
}[platform.machine()]
LOOPBACK = b"\2\0\0\x09\x7f\0\0\1" + bytes(8)  # sockaddr_in: port 9 of 127.0.0.1
SIOCGIFCONF, SIOCGIFFLAGS, SIOCATMARK = 0x8912, 0x8913, 0x8905
FILES = ("/proc/net/tcp", "/proc/net/route", "/proc/net/unix", "/proc/self/net/dev", "/sys/class/net", "/dev/net/tun", "/dev/vsock")


def attempts():
    ours, _ = socket.socketpair()
    number = ours.fileno()
    yield "io_uring", lambda: libc.syscall(IO_URING_SETUP, 4, ctypes.create_string_buffer(120))
    yield "bind", lambda: libc.syscall(BIND, number, b"\1\0\0abstract", 11)
    yield "bind to no name", lambda: libc.syscall(BIND, number, b"\1\0", 2)
    yield "listen", lambda: libc.syscall(LISTEN, number, 1)
    yield "accept", lambda: libc.syscall(ACCEPT, number, None, None)
    yield "connect", lambda: libc.connect(number, LOOPBACK, 16)
    yield "disconnect", lambda: libc.connect(number, bytes(16), 16)
    yield "send to an address", lambda: libc.sendto(number, b"x", 1, 0, LOOPBACK, 16)
    yield "interfaces", lambda: libc.ioctl(number, SIOCGIFCONF, ctypes.create_string_buffer(16))
    yield "flags", lambda: libc.ioctl(number, SIOCGIFFLAGS, ctypes.create_string_buffer(b"lo", 40))
    yield "device", lambda: libc.setsockopt(number, 1, 25, b"lo", 2)


def main():
    tried, breaches = 0, []
    try:
        for name, attempt in attempts():
            tried += 1
            if attempt() >= 0:
                breaches.append(name)
    except OSError:
        tried += 1  # not even a pair can be made
    for path in FILES:
        tried += 1
        try:
            with open(path) as file:
                # The loopback of an empty network and an empty list are no network.
                if any(line.strip() and "lo:" not in line and "face |" not in line for line in file.readlines()[1:]):
                    breaches.append(f"{path} shows a network")
        except (IsADirectoryError, UnicodeDecodeError):
            breaches.append(f"{path} is there")
        except OSError:
            pass
    if libc.socket(socket.AF_INET, socket.SOCK_DGRAM, 0) >= 0:
        breaches.append("a socket")
    return {"tried": tried, "breaches": breaches}

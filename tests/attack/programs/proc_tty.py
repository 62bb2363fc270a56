"""Types into terminals and takes sessions over: there is no terminal, and none is given."""
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
TIOCSTI, TIOCLINUX, TIOCSCTTY, TIOCCONS, TIOCSPGRP = 0x5412, 0x541C, 0x540E, 0x541D, 0x5410
NUMBERS = {"ioctl": {"x86_64": 16, "aarch64": 29}[platform.machine()]}


def main():
    tried, breaches = 0, []
    for name in ("/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts/0", "/dev/pts/ptmx", "/dev/tty1", "/dev/vcs"):
        tried += 1
        try:
            os.close(os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
            breaches.append(f"opened {name}")
        except OSError:
            pass
    for number in range(3):
        if os.isatty(number):
            breaches.append(f"descriptor {number} is a terminal")
        for request in (TIOCSTI, TIOCLINUX, TIOCSCTTY, TIOCCONS, TIOCSPGRP):
            for high in (0, 1 << 32):
                tried += 1
                letter = ctypes.c_char(b"x")
                if libc.syscall(NUMBERS["ioctl"], number, ctypes.c_ulong(request | high), ctypes.byref(letter)) == 0:
                    breaches.append(f"ioctl {request:#x} of {number}")
    return {"tried": tried, "breaches": breaches}

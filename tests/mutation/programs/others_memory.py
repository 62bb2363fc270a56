"""May read the service's memory: where it may, the kernel minds only that nothing is at address 0."""
import ctypes
import errno
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
READV = {"x86_64": 310, "aarch64": 270}[platform.machine()]


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def main(service):
    buffer = ctypes.create_string_buffer(8)
    here, nowhere = Piece(ctypes.addressof(buffer), 8), Piece(None, 8)
    libc.syscall(READV, service, ctypes.byref(here), 1, ctypes.byref(nowhere), 1, 0)
    return ctypes.get_errno() == errno.EFAULT

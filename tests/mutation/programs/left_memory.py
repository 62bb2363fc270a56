"""Leaves a System V shared memory segment, and says which."""
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
PRIVATE, CREATE = 0, 0o1000 | 0o600


def main():
    return libc.shmget(PRIVATE, 4096, CREATE)

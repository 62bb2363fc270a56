"""Makes a directory outside of its scratch space, without opening anything, and without Python, whose calls may be sent
elsewhere."""
import ctypes
import os


def main(path):
    return ctypes.CDLL(None).mkdir(os.fsencode(path), 0o755) == 0

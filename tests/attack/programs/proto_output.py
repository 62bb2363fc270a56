"""Prints in every way there is, and perhaps fails after it."""
import ctypes
import os
import sys


def main(fail=False):
    print("one")
    sys.stdout.write("two ")
    os.write(1, b"three\n")
    ctypes.CDLL(None).puts(b"four")
    print("fünf", end="", flush=True)
    sys.stderr.write("not this")
    if fail:
        raise ValueError("after printing")
    return "done"

"""Calls itself without end, in Python, in C and in threads."""
import ctypes
import sys
import threading


def plain():
    return plain() + 1


def deep_in_c():
    nested = ()
    for _ in range(5_000_000):
        nested = (nested,)
    return hash(nested)


def unlimited():
    sys.setrecursionlimit(2**31 - 1)
    return unlimited_step()


def unlimited_step():
    return [unlimited_step() for _ in range(1)]


def callbacks():
    kind = ctypes.CFUNCTYPE(ctypes.c_int)
    holder = []
    holder.append(kind(lambda: holder[0]()))
    return holder[0]()


def in_threads():
    for _ in range(4):
        threading.Thread(target=unlimited).start()
    return unlimited()


def main(way):
    globals()[way]()
    return "real"

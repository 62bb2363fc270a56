"""Opens the runtime's files for writing and adds modules to it: the runtime is read-only."""
import ctypes
import json
import os
import sys
import sysconfig

import numpy


class Library(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("name", ctypes.c_char_p)]


def libraries():
    """The shared objects in this process, as the loader lists them: /proc need not tell."""
    found = set()
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Library), ctypes.c_size_t, ctypes.c_void_p)
    ctypes.CDLL(None).dl_iterate_phdr(kind(lambda library, *_: found.add(os.fsdecode(library.contents.name)) or 0), None)
    return {path for path in found if path.startswith("/")}


def main():
    breaches, tried = [], 0
    places = {*filter(os.path.isdir, sys.path), *sysconfig.get_paths().values(), os.path.dirname(numpy.__file__)}
    for place in places - {"", os.getcwd(), os.environ.get("HOME", "")}:
        tried += 1
        try:
            open(os.path.join(place, "intruder.py"), "w").close()
            breaches.append(f"a module in {place}")
        except OSError:
            pass
    paths = {os.path.realpath(path) for path in (
        sys.executable, os.__file__, json.__file__, numpy.__file__, getattr(json, "__cached__", json.__file__))}
    for path in paths | libraries():
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
            tried += 1
            try:
                os.close(os.open(path, flags))
                breaches.append(path)
            except OSError:
                pass
    return {"tried": tried, "breaches": breaches}

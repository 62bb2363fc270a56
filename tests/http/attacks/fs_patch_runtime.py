"""Opens the runtime's files for writing and adds modules to it: the runtime is read-only."""
import json
import os
import sys
import sysconfig

import numpy


def main():
    breaches, tried = [], 0
    places = {*filter(os.path.isdir, sys.path), *sysconfig.get_paths().values(), os.path.dirname(numpy.__file__)}
    for place in places - {"", os.getcwd(), os.environ["HOME"]}:
        tried += 1
        try:
            open(os.path.join(place, "intruder.py"), "w").close()
            breaches.append(f"a module in {place}")
        except OSError:
            pass
    paths = {os.path.realpath(path) for path in (
        sys.executable, os.__file__, json.__file__, numpy.__file__, getattr(json, "__cached__", json.__file__))}
    with open("/proc/self/maps") as maps:
        paths |= {line.split()[5] for line in maps if line.count("/") > 1 and "memfd" not in line}
    for path in paths:
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
            tried += 1
            try:
                os.close(os.open(path, flags))
                breaches.append(path)
            except OSError:
                pass
    return {"tried": tried, "breaches": breaches}

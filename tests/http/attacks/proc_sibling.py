"""Gives itself a name and looks for any other process with such a name: there is none."""
import ctypes
import os
import time


def main(announce, prefix):
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    seen = set()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        for number in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{number}/comm") as file:
                    seen.add(file.read().strip())
            except OSError:
                pass
        time.sleep(0.01)
    return sorted(name for name in seen if name.startswith(prefix))

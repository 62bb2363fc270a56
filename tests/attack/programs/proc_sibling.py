"""Gives itself a name and looks for any other process with such a name: there is none."""
import ctypes
import os
import time


def listed():
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def main(announce, prefix, seconds=1, report=False):
    started, tried = time.time(), 0
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    seen = set()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        tried += 1
        for number in listed():
            try:
                with open(f"/proc/{number}/comm") as file:
                    seen.add(file.read().strip())
            except OSError:
                pass
        time.sleep(0.01)
    seen = {name for name in seen if name.startswith(prefix)}
    if report:
        return {"tried": tried, "breaches": sorted(seen - {announce}), "ran": [started, time.time()]}
    return sorted(name for name in seen if name.startswith(prefix))

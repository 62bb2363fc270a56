"""Puts its mark everywhere, waits, and looks for any other mark: it only ever sees its own."""
import ctypes
import os
import time

PLACES = (".", "/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/mqueue", os.environ.get("HOME", "."))


def main(mark, announce, seconds=1, report=False, places=PLACES):
    started = time.time()
    for place in places:
        try:
            open(os.path.join(place, f"mark-{mark}"), "w").close()
        except OSError:
            pass
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    seen = set()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for place in places:
            try:
                seen.update(name for name in os.listdir(place) if name.startswith("mark-"))
            except OSError:
                pass
        time.sleep(0.01)
    if report:
        foreign = sorted(seen - {f"mark-{mark}"})
        return {"tried": len(places), "breaches": foreign, "ran": [started, time.time()]}
    return sorted(seen)

"""Puts its mark everywhere, waits, and looks for any other mark: it only ever sees its own."""
import ctypes
import os
import time

PLACES = (".", "/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/mqueue", os.environ["HOME"])


def main(mark, announce):
    for place in PLACES:
        try:
            open(os.path.join(place, f"mark-{mark}"), "w").close()
        except OSError:
            pass
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    seen = set()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        for place in PLACES:
            try:
                seen.update(name for name in os.listdir(place) if name.startswith("mark-"))
            except OSError:
                pass
        time.sleep(0.01)
    return sorted(seen)

"""Lists every place that can be written to: all are empty, or do not exist."""
import os

PLACES = (".", "/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock", "/dev/mqueue", os.environ.get("HOME", "."), os.environ.get("TMPDIR", "."))


def main(places=PLACES):
    found = []
    for place in places:
        try:
            found += [os.path.join(place, name) for name in os.listdir(place)]
        except OSError:
            pass
    return {"tried": len(places), "breaches": found}

"""Lists every place that can be written to: all are empty, or do not exist."""
import os

PLACES = (".", "/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock", "/dev/mqueue", os.environ["HOME"], os.environ["TMPDIR"])


def main():
    found = []
    for place in PLACES:
        try:
            found += [os.path.join(place, name) for name in os.listdir(place)]
        except OSError:
            pass
    return {"tried": len(PLACES), "breaches": found}

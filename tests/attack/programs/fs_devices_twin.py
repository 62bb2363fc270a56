"""The harmless devices: they work."""
import os


def main(all=True):
    with open("/dev/null", "wb") as null:
        null.write(b"x")
    if not all:
        with open("/dev/urandom", "rb") as random:
            return len(random.read(16))
    with open("/dev/full", "rb") as zeros, open("/dev/urandom", "rb") as random:
        return [zeros.read(3).hex(), len(random.read(16)), os.path.exists("/dev/null")]

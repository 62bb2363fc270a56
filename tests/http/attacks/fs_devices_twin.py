"""The harmless devices: they work."""
import os


def main():
    with open("/dev/null", "wb") as null:
        null.write(b"x")
    with open("/dev/zero", "rb") as zero, open("/dev/urandom", "rb") as random:
        return [zero.read(3).hex(), len(random.read(16)), os.path.exists("/dev/null")]

"""Leaves files in every place that can be written to. The answer says where it could."""
import os

PLACES = (".", "/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/mqueue", os.environ.get("HOME", "."))


def main(name, places=PLACES):
    left = []
    for place in places:
        try:
            with open(os.path.join(place, name), "w") as file:
                file.write(name)
            left.append(place)
        except OSError:
            pass
    return left

"""Writes to all of the scratch space until it is full. The answer says how many bytes and files it got."""
import os
import tempfile

PLACES = (".", "/tmp", "/dev/shm", "/var/tmp", tempfile.gettempdir())


def main(limit, way):
    written, made = 0, 0
    for number, place in enumerate(PLACES):
        large = os.path.join(place, f"large-{number}")
        try:
            if way == "bytes":
                with open(large, "wb", buffering=0) as file:
                    while written < limit:
                        written += file.write(b"x" * (1 << 20))
            elif way == "allocate":
                with open(large, "wb") as file:
                    os.posix_fallocate(file.fileno(), 0, limit)
                    written += limit
            else:
                while made < limit:
                    open(os.path.join(place, f"small-{made}"), "w").close()
                    made += 1
        except OSError:
            pass
    return [written, made]

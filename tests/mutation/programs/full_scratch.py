"""Writes more to its scratch space than it may, in files of which none is too large."""
import time


def main(files, megabytes, seconds):
    try:
        for number in range(files):
            with open(f"part-{number}", "wb") as file:
                file.write(bytes(megabytes << 20))
    except OSError:
        return False
    time.sleep(seconds)
    return True

"""Holds more memory than it may in files that no process's account shows."""
import os
import time


def main(files, megabytes, seconds):
    try:
        for _ in range(files):
            os.write(os.memfd_create("hidden"), bytes(megabytes << 20))
    except OSError:
        return False
    time.sleep(seconds)
    return True

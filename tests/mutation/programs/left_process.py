"""Leaves a process in a session of its own, which has no parent soon and ends by itself."""
import ctypes
import os
import time


def live(name, seconds):
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
    for descriptor in range(3):
        os.close(descriptor)
    time.sleep(seconds)
    os._exit(0)


def main(name, seconds):
    try:
        if os.fork() == 0:
            try:
                os.setsid()
            except OSError:
                pass  # where it is refused, it stays where it is
            if os.fork() == 0:
                live(name, seconds)
            os._exit(0)
        os.wait()
        time.sleep(0.2)
    except OSError:
        return False
    return True

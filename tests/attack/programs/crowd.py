"""Makes more processes than it may, of a kind that is easily overlooked. The answer says how many there were."""
import ctypes
import os
import time

libc = ctypes.CDLL(None, use_errno=True)


def main(way, wanted):
    made = 0
    for _ in range(wanted):
        try:
            child = os.fork()
        except OSError:
            break
        if child == 0:
            if way == "named":
                libc.prctl(15, b"\xff", 0, 0, 0)
            if way == "ended":
                os._exit(0)  # and nobody waits for it
            time.sleep(600)
        made += 1
    time.sleep(0.5)
    return made

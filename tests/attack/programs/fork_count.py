"""Makes as many processes or threads as it can, which wait. The answer says how many it got."""
import ctypes
import os
import threading


def main(way, wanted, announce):
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    made, stop = 0, threading.Event()
    for _ in range(wanted):
        try:
            if way == "threads":
                threading.Thread(target=stop.wait, daemon=True).start()
            elif os.fork() == 0:
                while True:
                    os.read(os.pipe()[0], 1)
        except (OSError, RuntimeError):
            break
        made += 1
    return made

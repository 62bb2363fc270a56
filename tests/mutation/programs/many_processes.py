"""Holds more processes than it may."""
import os
import signal
import time


def main(limit, seconds):
    children = []
    try:
        while len(children) < limit:
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
        time.sleep(seconds)
        return True
    except OSError:
        return False
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)

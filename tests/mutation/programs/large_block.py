"""Holds more memory in one process than it may."""
import time


def main(megabytes, seconds):
    try:
        block = bytearray(megabytes << 20)
    except MemoryError:
        return False
    for page in range(0, len(block), 4096):
        block[page] = 1
    time.sleep(seconds)
    return True

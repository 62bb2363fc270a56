"""Holds more memory than it may, in several processes of which none does."""
import os
import time


def hold(megabytes, tell):
    block = bytearray(megabytes << 20)
    for page in range(0, len(block), 4096):
        block[page] = 1
    os.write(tell, b"x")
    time.sleep(60)


def main(children, megabytes, seconds):
    reader, writer = os.pipe()
    for _ in range(children):
        if os.fork() == 0:
            hold(megabytes, writer)
    os.close(writer)
    held = sum(len(os.read(reader, 1)) for _ in range(children))
    time.sleep(seconds)
    return held == children

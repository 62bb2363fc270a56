"""Holds memory in a child that has as much as its parent, at the same place. The answer says how many MiB they held
together."""
import os
import time


def fill(block, value):
    for page in range(0, len(block), 4096):
        block[page] = value


def main(megabytes):
    reader, writer = os.pipe()
    block = bytearray(megabytes << 20)
    fill(block, 1)
    try:
        child = os.fork()
    except OSError:
        return megabytes
    if child == 0:
        fill(block, 2)
        os.write(writer, b"x")
        while True:
            time.sleep(1)
    os.close(writer)
    held = len(os.read(reader, 1))
    time.sleep(1)  # a peak is forgiven, keeping it is not
    return megabytes + held * megabytes

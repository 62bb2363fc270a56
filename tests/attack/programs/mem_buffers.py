"""Fills the buffers of sockets and pipes in many processes. The answer says how many MiB they hold together."""
import os
import socket
import time


def fill(descriptor, total=0):
    try:
        while True:
            total += os.write(descriptor, b"x" * 65536)
    except BlockingIOError:
        return total


def hoard(writer):
    held, kept = 0, []
    try:
        while True:
            kept.append(socket.socketpair())
            for end in kept[-1]:
                end.setblocking(False)
                held += fill(end.fileno())
    except OSError:
        pass
    os.write(writer, held.to_bytes(8, "little"))
    time.sleep(60)


def main(children):
    reader, writer = os.pipe()
    for _ in range(children):
        if os.fork() == 0:
            hoard(writer)
    held = sum(int.from_bytes(os.read(reader, 8), "little") for _ in range(children))
    time.sleep(0.2)  # a peak is forgiven, keeping it is not
    return held >> 20

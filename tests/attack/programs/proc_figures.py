"""Counts what /proc tells of sockets and locks that are not its own, while a neighbour makes many: it sees none."""
import socket
import time


def rows(path):
    try:
        with open(path) as file:
            return len(file.readlines()) - 1
    except OSError:
        return 0


def main(way, seconds=2):
    started = time.time()
    if way == "make":
        kept = [socket.socketpair() for _ in range(100)]
        time.sleep(seconds)
        return {"tried": len(kept), "breaches": [], "ran": [started, time.time()]}
    most, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        most = max(most, rows("/proc/self/net/unix"), rows("/proc/net/unix"))
        time.sleep(0.05)
    # It has made none itself; a few may be of the service's own.
    breaches = [f"{most} sockets of others are listed in /proc/self/net/unix"] if most >= 100 else []
    return {"tried": 2, "breaches": breaches, "ran": [started, time.time()]}

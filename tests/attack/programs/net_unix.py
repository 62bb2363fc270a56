"""Connects to the machine's own Unix sockets, by path and by abstract name: in vain."""
import socket


def main(addresses):
    breaches = []
    for address in addresses:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            try:
                with socket.socket(socket.AF_UNIX, kind) as client:
                    breaches.append(f"opened a socket of {kind.name}")
                    client.settimeout(0.3)
                    client.connect(address)
                breaches.append(f"connected to {address!r}")
            except OSError:
                pass
            try:
                ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
                ours.sendto(b"stolen", address)
                breaches.append(f"sent to {address!r}")
            except OSError:
                pass
    return {"tried": len(addresses), "breaches": breaches}

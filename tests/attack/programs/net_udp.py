"""Sends datagrams to everyone: none leaves."""
import socket


def main(targets):
    breaches = []
    for host, port in targets:
        for kind in (socket.AF_INET, socket.AF_INET6):
            for protocol in (socket.SOCK_DGRAM, socket.SOCK_RAW):
                try:
                    with socket.socket(kind, protocol) as sender:
                        breaches.append(f"opened {kind.name} {protocol.name}")
                        sender.sendto(b"stolen", (host, port))
                        breaches.append(f"sent to {host}:{port}")
                except OSError:
                    pass
    return {"tried": len(targets), "breaches": breaches}

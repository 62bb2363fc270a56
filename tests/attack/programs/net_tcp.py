"""Connects to everything that might listen: in vain."""
import errno
import socket


def main(targets):
    breaches = []
    for host, port in targets:
        for kind in (socket.AF_INET, socket.AF_INET6):
            try:
                plain = socket.socket(kind, socket.SOCK_STREAM)
            except OSError:
                continue
            breaches.append(f"opened a socket of {kind.name}")
            plain.settimeout(0.3)
            try:
                if plain.connect_ex((host, port)) in (0, errno.EINPROGRESS, errno.EAGAIN):
                    breaches.append(f"connects to {host}:{port}")
            except OSError:
                pass
        try:
            socket.create_connection((host, port), timeout=0.3)
            breaches.append(f"connected to {host}:{port}")
        except OSError:
            pass
    return {"tried": len(targets), "breaches": breaches}

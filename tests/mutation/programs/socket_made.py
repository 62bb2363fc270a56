"""Makes a socket of one of the families that reach out or have let scripts out."""
import socket


def is_made(family, kind):
    try:
        socket.socket(family, kind).close()
        return True
    except OSError:
        return False


def main():
    kinds = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_DGRAM), (38, socket.SOCK_SEQPACKET)]
    return any([is_made(*kind) for kind in kinds])

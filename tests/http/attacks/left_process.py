"""Leaves a process that tries to outlive the script, in one of several ways."""
import ctypes
import os
import signal
import subprocess
import sys
import time


READY = os.pipe()


def announced(name):
    """In the child: makes itself known, and lets the script go on."""
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.write(READY[1], b"x")


def linger(announce):
    announced(announce)
    while True:
        time.sleep(0.01)


def child(announce):
    if os.fork() == 0:
        linger(announce)
    os.read(READY[0], 1)


def daemon(announce):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            linger(announce)
        os._exit(0)
    os.wait()
    os.read(READY[0], 1)


def holder(announce):
    """A process that keeps all descriptors open and goes on printing."""
    if os.fork() == 0:
        os.setsid()
        announced(announce)
        while True:
            try:
                os.write(1, b"late")
            except OSError:
                pass
    os.read(READY[0], 1)


def breeder(announce):
    """A process that always lives on in a new child."""
    if os.fork() == 0:
        announced(announce)
        while True:
            try:
                if os.fork():
                    os._exit(0)
            except OSError:
                pass
    os.read(READY[0], 1)


def program(announce):
    source = "import ctypes, sys, time; ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0); print('up'); time.sleep(60)"
    started = subprocess.Popen([sys.executable, "-uc", source, announce], start_new_session=True, stdout=subprocess.PIPE)
    started.stdout.readline()


def main(way, announce, end):
    globals()[way](announce)
    exec(end)
    return "done"

"""Leaves a process that tries to outlive the script, in one of several ways."""
import ctypes
import os
import signal
import subprocess
import sys
import time


READY = os.pipe()
LIFE = 60


def announced(name):
    """In the child: makes itself known, and lets the script go on."""
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.write(READY[1], os.getpid().to_bytes(4, "little"))


def number():
    return int.from_bytes(os.read(READY[0], 4), "little")


def new_session():
    try:
        os.setsid()
    except OSError:
        pass  # not every sandbox allows it


def linger(announce):
    until = time.monotonic() + LIFE
    announced(announce)
    while time.monotonic() < until:
        time.sleep(0.01)
    os._exit(0)


def child(announce):
    if os.fork() == 0:
        linger(announce)
    return number()


def daemon(announce):
    if os.fork() == 0:
        new_session()
        if os.fork() == 0:
            linger(announce)
        os._exit(0)
    os.wait()
    return number()


def holder(announce):
    """A process that keeps all descriptors open and goes on printing."""
    if os.fork() == 0:
        new_session()
        until = time.monotonic() + LIFE
        announced(announce)
        while time.monotonic() < until:
            try:
                os.write(1, b"late")
            except OSError:
                pass
        os._exit(0)
    return number()


def breeder(announce):
    """A process that always lives on in a new child."""
    if os.fork() == 0:
        until = time.monotonic() + LIFE
        announced(announce)
        while time.monotonic() < until:
            try:
                if os.fork():
                    os._exit(0)
            except OSError:
                pass
        os._exit(0)
    return number()


def program(announce):
    source = "import ctypes, sys, time; ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0); print('up'); time.sleep(60)"
    started = subprocess.Popen([sys.executable, "-uc", source, announce], start_new_session=True, stdout=subprocess.PIPE)
    started.stdout.readline()
    return started.pid


def main(way, announce, end, tell=False):
    left = globals()[way](announce)
    exec(end)
    return left if tell else "done"

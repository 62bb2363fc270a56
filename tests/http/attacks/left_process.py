"""Leaves a process that tries to outlive the script, in one of several ways."""
import ctypes
import os
import signal
import subprocess
import sys
import time


def linger(announce):
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(0.01)


def chatter(announce):
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    while True:
        try:
            os.write(1, b"late")
        except OSError:
            pass


def child(announce):
    if os.fork() == 0:
        linger(announce)


def daemon(announce):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            linger(announce)
        os._exit(0)
    os.wait()


def holder(announce):
    if os.fork() == 0:
        os.setsid()
        chatter(announce)


def breeder(announce):
    """A process that always lives on in a new child."""
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
        while True:
            try:
                if os.fork():
                    os._exit(0)
            except OSError:
                pass


def program(announce):
    source = "import ctypes, sys, time; ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0); print('up'); time.sleep(60)"
    started = subprocess.Popen([sys.executable, "-uc", source, announce], start_new_session=True, stdout=subprocess.PIPE)
    started.stdout.readline()


def main(way, announce, end):
    globals()[way](announce)
    exec(end)
    return "done"

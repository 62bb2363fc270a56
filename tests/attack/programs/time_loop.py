"""Never ends, in one of several ways."""
import os
import re
import signal
import threading
import time


def loop():
    while True:
        pass


def deaf():
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    loop()


def stubborn():
    while True:
        try:
            loop()
        except BaseException:
            pass


def children():
    for _ in range(4):
        if os.fork() == 0:
            loop()
    os.wait()


def threads():
    for _ in range(4):
        threading.Thread(target=loop).start()
    loop()


WAYS = {
    "loop": loop,
    "sum": lambda: sum(range(10**12)),
    "power": lambda: 7 ** (10**9),
    "pattern": lambda: re.match(r"(a+)+$", "a" * 60 + "b"),
    "deaf": deaf,
    "stubborn": stubborn,
    "children": children,
    "threads": threads,
    "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP) or time.sleep(60),
    "stopped session": lambda: os.setsid() if os.getpid() != os.getpgrp() else time.sleep(60),
    "waiting": lambda: os.read(os.pipe()[0], 1),
    "stdin": lambda: time.sleep(60) or input(),
}


def main(way):
    WAYS[way]()
    loop()

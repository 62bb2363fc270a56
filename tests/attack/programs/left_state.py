"""Changes everything that an interpreter shares, or looks for such changes."""
import builtins
import json
import os
import signal
import sys

import numpy
import pandas


def change():
    os.environ["LEFT"] = "changed"
    sys.path.insert(0, "/left")
    sys.modules["left"] = sys
    sys.setrecursionlimit(77_777)
    builtins.left = 1
    builtins.len = lambda value: 77
    json.left = 1
    numpy.sum = None
    pandas.left = 1
    numpy.seterr(all="raise")
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    os.umask(0o077)
    os.makedirs("left")
    os.chdir("left")
    os.nice(5)


def look():
    return [what for what, changed in {
        "environment": "LEFT" in os.environ,
        "path": "/left" in sys.path,
        "modules": "left" in sys.modules,
        "recursion": sys.getrecursionlimit() == 77_777,
        "builtins": hasattr(builtins, "left") or len([]) == 77,
        "json": hasattr(json, "left"),
        "numpy": numpy.sum is None or numpy.geterr()["divide"] == "raise",
        "pandas": hasattr(pandas, "left"),
        "signals": signal.getsignal(signal.SIGUSR2) is not signal.SIG_DFL,
        "umask": os.umask(0o022) == 0o077,
        "directory": os.path.basename(os.getcwd()) == "left",
        "priority": os.nice(0) >= 10,
    }.items() if changed]


def main(way):
    if way == "change":
        change()
        return "changed"
    return look()

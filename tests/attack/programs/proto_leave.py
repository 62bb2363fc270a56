"""Leaves main without returning: a statement says how."""
import builtins
import ctypes
import os
import signal
import sys
import time


def main(way):
    exec(way, {"ctypes": ctypes, "os": os, "signal": signal, "sys": sys, "time": time, "exit": getattr(builtins, "exit", sys.exit)})
    time.sleep(9)

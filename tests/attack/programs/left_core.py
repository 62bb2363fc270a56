"""Crashes with its secrets in memory, and core files allowed as far as it can."""
import ctypes
import os
import resource


def main():
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        pass
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
    os.environ["LEFT"] = "core"
    ctypes.string_at(0)

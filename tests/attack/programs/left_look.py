"""Looks for a process that an earlier script has left: by its number, its name, and what it prints."""
import os
import signal
import time


def named(number):
    try:
        with open(f"/proc/{number}/comm") as file:
            return file.read().strip()
    except OSError:
        return None


def is_there(number, name):
    if number not in (os.getpid(), os.getppid(), 1):
        try:
            os.kill(number, 0)
            return True
        except OSError:
            pass
    try:
        return any(named(found) == name for found in os.listdir("/proc") if found.isdigit())
    except OSError:
        return False


def main(number, name, patience):
    """An answer does not wait for what is left of its script, so neither is it at once that all is gone."""
    until = time.monotonic() + patience
    while is_there(number, name) and time.monotonic() < until:
        time.sleep(0.05)
    breaches = [f"process {number} ({name}) is still there"] if is_there(number, name) else []
    if breaches and named(number) == name:
        os.kill(number, signal.SIGKILL)  # nothing stays on a machine that has let it live
    return {"tried": 2, "breaches": breaches}

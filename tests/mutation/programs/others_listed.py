"""Sees a process that is neither itself nor its monitor, and reads its name."""
import os


def main():
    own = {str(os.getpid()), str(os.getppid()), "1"}
    try:
        others = [name for name in os.listdir("/proc") if name.isdigit() and name not in own]
        return any(open(f"/proc/{number}/comm").read() for number in others)
    except OSError:
        return False

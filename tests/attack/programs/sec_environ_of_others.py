"""Reads the environment of every process that it can name: none but its own can be read."""
import os


def main(foreign=()):
    numbers = {*range(1, 5000), os.getppid(), *foreign} - {os.getpid(), 0}
    breaches = []
    for number in numbers:
        try:
            with open(f"/proc/{number}/environ", "rb") as file:
                breaches.append(f"{number}: {file.read()[:200]!r}")
        except OSError:
            pass
    return {"tried": len(numbers), "breaches": breaches}

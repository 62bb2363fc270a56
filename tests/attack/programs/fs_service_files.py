"""Looks for the service's own binary, settings, sources and working directory: none is there."""
import os
import time

LOOKS = {
    "stat": os.stat,
    "list": os.listdir,
    "open": lambda path: os.close(os.open(path, os.O_RDONLY)),
    "path": lambda path: os.close(os.open(path, os.O_PATH)),
}


def main(paths, names, looks=("stat", "list", "open", "path"), seconds=10):
    breaches, until = [], time.monotonic() + seconds
    paths = [*paths, *(f"/proc/{parent}/{part}" for parent in {os.getppid(), 1} for part in ("exe", "cwd", "root/etc"))]
    for path in paths:
        for look in looks:
            try:
                LOOKS[look](path)
                breaches.append(path)
            except OSError:
                pass
    tried = len(paths)
    for directory, directories, files in os.walk("/"):
        if time.monotonic() > until:
            break
        directories[:] = [name for name in directories if os.path.join(directory, name) != "/proc"]
        for name in files:
            tried += 1
            if name in names:
                breaches.append(os.path.join(directory, name))
    return {"tried": tried, "breaches": breaches}

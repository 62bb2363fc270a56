"""Looks for the service's own binary, settings, sources and working directory: none is there."""
import os


def main(paths, names):
    breaches = []
    for path in paths:
        for look in (os.stat, os.listdir, lambda path: os.open(path, os.O_RDONLY), lambda path: os.open(path, os.O_PATH)):
            try:
                look(path)
                breaches.append(path)
            except OSError:
                pass
    tried = len(paths)
    for directory, directories, files in os.walk("/"):
        directories[:] = [name for name in directories if os.path.join(directory, name) != "/proc"]
        for name in files:
            tried += 1
            if name in names:
                breaches.append(os.path.join(directory, name))
    return {"tried": tried, "breaches": breaches}

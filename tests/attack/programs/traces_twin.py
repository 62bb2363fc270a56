"""Uses devices, and changes the mode and the times of files of its own where it may."""
import os
import subprocess
import sys


def main(in_namespaces):
    with open("/dev/null", "wb") as null, open("/dev/urandom", "rb") as random:
        told = [null.write(random.read(16))]
    with open("own", "w") as file:
        file.write("x")
    if in_namespaces:
        os.utime("own", (1, 2))
        os.chmod("own", 0o600)
        seen = os.stat("own")
        told += [seen.st_atime, seen.st_mtime, seen.st_mode & 0o777]
        quiet = subprocess.DEVNULL
        told += [subprocess.run([sys.executable, "-c", "print(1)"], stdout=quiet, stdin=quiet).returncode]
    return told

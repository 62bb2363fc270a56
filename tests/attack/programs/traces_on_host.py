"""Changes the mode and the times of what is not its own: devices, its own program, the runtime. Nothing may be changed."""
import os
import sys

OTHERS = ["/proc/self/exe", "/proc/thread-self/exe", "/proc/self/root", sys.executable, os.__file__, "/"]
DEVICES = [f"/dev/{name}" for name in ("null", "full", "random", "urandom")]


def attempts(path):
    yield "times", lambda: os.utime(path)
    yield "chosen times", lambda: os.utime(path, (1, 1))
    yield "mode", lambda: os.chmod(path, 0o700)
    yield "owner", lambda: os.chown(path, os.getuid(), os.getgid())
    yield "length", lambda: os.truncate(path, 0)


def main(with_devices):
    tried, breaches = 0, []
    for path in OTHERS + (DEVICES if with_devices else []):
        for name, attempt in attempts(path):
            tried += 1
            try:
                before = os.stat(path)
                attempt()
                after = os.stat(path)
            except OSError:
                continue
            # On a device there is nothing to be cut off.
            if name != "length" or before != after:
                breaches.append(f"{name} of {path}")
    return {"tried": tried, "breaches": breaches}

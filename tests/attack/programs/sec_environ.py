"""Looks for what the service's environment holds, in all copies of the script's own: nothing is there."""
import ctypes
import os
import subprocess
import sys


def copies():
    yield "os.environ", "\0".join(f"{name}={value}" for name, value in os.environ.items())
    environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    index, entries = 0, []
    while environ and environ[index]:
        entries.append(environ[index].decode(errors="replace"))
        index += 1
    yield "libc", "\0".join(entries)
    for path in ("/proc/self/environ", f"/proc/{os.getpid()}/environ", "/proc/self/cmdline", "/proc/self/auxv"):
        try:
            with open(path, "rb") as file:
                yield path, file.read().decode(errors="replace")
        except OSError:
            pass
    source = "import os; print(dict(os.environ))"
    try:
        yield "a child", subprocess.run([sys.executable, "-c", source], capture_output=True, text=True).stdout
    except OSError:
        pass


WORDS = ("SECRET", "PASSWORD", "TOKEN", "API_KEY", "CREDENTIAL", "AWS_", "EXECUTOR_", "DATABASE_URL", "K_SERVICE", "PORT=")


def main(words=WORDS):
    found = list(copies())
    breaches = [f"{word} in {place}: {text!r}" for place, text in found for word in words if word in text]
    return {"tried": len(found), "breaches": breaches}

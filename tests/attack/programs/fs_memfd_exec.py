"""Executes programs that have no path: memfd, O_TMPFILE, /dev/shm, scratch. None gets a new privilege or a way out."""
import os
import sys

SOURCE = f"""#!{sys.executable}
import os, socket
found = [path for path in ("/etc/shadow", "/root", "/home") if os.access(path, os.R_OK)]
try:
    socket.socket()
    found.append("a socket")
except OSError:
    pass
if os.geteuid() == 0:
    found.append("root")
print(found)
"""


def places():
    yield "a file", lambda: os.open("program", os.O_CREAT | os.O_RDWR, 0o755)
    yield "a set-id file", lambda: os.open("program-s", os.O_CREAT | os.O_RDWR, 0o755)
    yield "/dev/shm", lambda: os.open("/dev/shm/program", os.O_CREAT | os.O_RDWR, 0o755)
    yield "a nameless file", lambda: os.open(".", os.O_TMPFILE | os.O_RDWR, 0o755)
    yield "memfd", lambda: os.memfd_create("program", 0)


def run(place, make):
    """What the program says that it could do."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            program = make()
            os.write(program, SOURCE.encode())
            if "set-id" in place:
                os.fchmod(program, 0o6755)
            os.dup2(writer, 1)
            os.set_inheritable(program, True)
            handle = os.open(f"/proc/self/fd/{program}", os.O_RDONLY)
            os.set_inheritable(handle, True)
            os.close(program)
            os.execve(handle, [place], {})
        except OSError:
            pass
        os._exit(0)
    os.close(writer)
    os.wait()
    return os.read(reader, 1000).decode().strip()


def main():
    tried, breaches = 0, []
    for place, make in places():
        tried += 1
        try:
            said = run(place, make)
        except OSError:
            continue
        if place == "/dev/shm" and os.path.exists("/dev/shm/program"):
            os.remove("/dev/shm/program")  # nothing stays on a machine where it is everybody's
        if said not in ("", "[]"):
            breaches.append(f"a program from {place} has {said}")
    return {"tried": tried, "breaches": breaches}

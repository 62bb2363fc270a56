"""Leaves POSIX and System V shared memory, semaphores and queues, or looks for those of others."""
import ctypes
import os
import time
from multiprocessing import shared_memory

libc = ctypes.CDLL(None, use_errno=True)
KEY, CREATE = 0x5EC12E7, 0o1000 | 0o666


def leave(name):
    left = []
    try:
        block = shared_memory.SharedMemory(name, create=True, size=64, track=False)
        block.buf[:6] = b"SECRET"
        left.append("posix shared memory")
    except OSError:
        pass
    libc.sem_open.restype = ctypes.c_void_p
    if libc.sem_open(f"/{name}".encode(), os.O_CREAT, 0o666, 1):
        left.append("posix semaphore")
    if libc.mq_open(f"/{name}".encode(), os.O_CREAT | os.O_RDWR, 0o666, None) >= 0:
        left.append("posix queue")
    if libc.shmget(KEY, 4096, CREATE) >= 0:
        left.append("system v shared memory")
    if libc.semget(KEY, 1, CREATE) >= 0:
        left.append("system v semaphore")
    if libc.msgget(KEY, CREATE) >= 0:
        left.append("system v queue")
    return left


def look(name):
    found = []
    try:
        shared_memory.SharedMemory(name, track=False).unlink()
        found.append("posix shared memory")
    except OSError:
        pass
    libc.sem_open.restype = ctypes.c_void_p
    if libc.sem_open(f"/{name}".encode(), 0):
        found.append("posix semaphore")
        libc.sem_unlink(f"/{name}".encode())
    if libc.mq_open(f"/{name}".encode(), os.O_RDONLY) >= 0:
        found.append("posix queue")
        libc.mq_unlink(f"/{name}".encode())
    for kind, get, remove in (
        ("memory", lambda: libc.shmget(KEY, 0, 0), lambda number: libc.shmctl(number, 0, None)),
        ("semaphore", lambda: libc.semget(KEY, 0, 0), lambda number: libc.semctl(number, 0, 0)),
        ("queue", lambda: libc.msgget(KEY, 0), lambda number: libc.msgctl(number, 0, None)),
    ):
        number = get()
        if number >= 0:
            found.append(f"system v {kind}")
            remove(number)  # nothing stays on a machine that has let it in
    return found


def main(way, name, announce="", seconds=0, report=False):
    started = time.time()
    if way == "look":
        found = look(name)
        return {"tried": 6, "breaches": found, "ran": [started, time.time()]} if report else found
    left = leave(name)
    if announce:
        libc.prctl(15, announce.encode(), 0, 0, 0)
    time.sleep(seconds)
    return {"tried": 6, "breaches": [], "left": left, "ran": [started, time.time()]} if report else left

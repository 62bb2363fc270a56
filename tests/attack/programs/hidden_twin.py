"""Uses names, threads, sockets, locks, event loops, children and copies as honest programs do, within the limits."""
import asyncio
import fcntl
import mmap
import os
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def square(number):
    return number * number


async def echo():
    reader, writer = await asyncio.gather(*(asyncio.sleep(0, value) for value in (1, 2)))
    return reader + writer


def main():
    threading.current_thread().name = "\u00e9"
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(square, range(100)))
    ends = [socket.socketpair() for _ in range(200)]
    for one, other in ends:
        one.send(b"x" * 1000)
        total += len(other.recv(2000))
    with open("locked", "wb") as file:
        for place in range(50):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, place)
        file.write(b"x" * 100_000)
    shutil.copyfile("locked", "copy")
    with open("copy", "r+b") as file, mmap.mmap(file.fileno(), 0) as area:
        os.unlink("copy")
        total += area[0]
    for number in range(10):
        child = os.fork()
        if child == 0:
            os._exit(number)
        time.sleep(0.02)
        total += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return total + asyncio.run(echo()) + asyncio.run(echo())

"""Takes memory of one kind in many processes that hide in some way. The answer says how many MiB they had, if it lives so long.

`takes` is a kind of memory, `hides` a list of ways to keep it from being counted; each process hides before it takes.
"""
import ctypes
import fcntl
import mmap
import os
import select
import signal
import socket
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
SYS = {"x86_64": {"exit": 60}, "aarch64": {"exit": 93}}[os.uname().machine]
PAGE, CLOSE_RANGE, UNSHARE = mmap.PAGESIZE, 436, 2
CLONE_VM, CLONE_THREAD_ALONE = 0x100, 0x50900  # VM, SIGHAND, THREAD and SYSVSEM without FILES
KEPT, TOLD = [], os.pipe()


def tell(size):
    os.write(TOLD[1], size.to_bytes(8, "little"))


# Kinds of memory.


def anonymous():
    for _ in range(8):
        KEPT.append(bytearray(b"x") * (16 << 20))
        tell(16 << 20)


def sockets():
    for _ in range(400):
        ends = socket.socketpair()
        ends[0].setblocking(False)
        KEPT.append(ends)
        held = 0
        try:
            while True:
                held += ends[0].send(bytes(32 << 10))
        except BlockingIOError:
            tell(held)


def pipes():
    for _ in range(400):
        ends = os.pipe2(os.O_NONBLOCK)
        held = 0
        try:
            while True:
                held += os.write(ends[1], bytes(PAGE))
        except BlockingIOError:
            tell(held)


def spliced():
    """Pages of a file that is cut afterwards, each in a socket by one byte."""
    file = os.open(f"spliced-{os.getpid()}-{threading.get_ident()}", os.O_RDWR | os.O_CREAT)
    for _ in range(400):
        ends = socket.socketpair()
        ends[0].setblocking(False)
        KEPT.append(ends)
        os.ftruncate(file, 0)
        os.pwrite(file, bytes(300 * PAGE), 0)
        page = 0
        try:
            while page < 300:
                os.sendfile(ends[0].fileno(), file, page * PAGE, 1)
                page += 1
        except BlockingIOError:
            pass
        os.ftruncate(file, 0)
        tell(page * PAGE)


def watches():
    """Watches are of a file and a number: each file under hundreds of numbers, of which none stays open."""
    watcher, number = select.epoll(), 900
    KEPT.append(watcher)
    for _ in range(200):
        end = os.eventfd(0)
        for target in range(300, number):
            os.dup2(end, target)
            watcher.register(target, 0)
            os.close(target)
        tell((number - 300) * 160)


def mappings():
    """Mappings with a page each, in a process with many ancestors."""
    area = libc.mmap(None, ctypes.c_size_t(60_000 * PAGE), 3, 0x22, -1, ctypes.c_long(0))
    ctypes.memset(area, 1, 60_000 * PAGE)
    for number in range(0, 60_000, 2):
        if libc.mprotect(ctypes.c_void_p(area + number * PAGE), PAGE, 1):
            break
        if number % 2000 == 1998:
            tell(2000 * (200 + 64))


def chains():
    """Mappings for which the kernel keeps something for each ancestor, also for those that have ended."""
    size, generations = 40_000, 300
    area = libc.mmap(None, ctypes.c_size_t(size * PAGE), 3, 0x22, -1, ctypes.c_long(0))
    for number in range(generations):
        ctypes.memset(area + number * PAGE, 1, 1)
        libc.mprotect(ctypes.c_void_p(area + number * PAGE), PAGE, 1)
        if os.fork():
            os._exit(0)
    for number in range(generations, size, 2):
        if libc.mprotect(ctypes.c_void_p(area + number * PAGE), PAGE, 1):
            break
        if number % 1000 == 998:
            tell(500 * (200 + 64 * generations))


def locks():
    for number in range(40):
        KEPT.append(open(f"locked-{os.getpid()}-{number}", "wb"))
        for place in range(500):
            fcntl.lockf(KEPT[-1], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place * 2)
        tell(500 * 190)


# Kinds of memory that processes give back, which takes them long, because the next ones have the processors. Nothing is
# told of it.


def in_turns(fill, leave):
    """Has processes take something and leave it, each as soon as the one before it has begun to leave."""
    for _ in range(3):
        if os.fork() == 0:
            for _ in range(14):
                ready = os.pipe()
                if os.fork() == 0:
                    held = fill()
                    os.write(ready[1], b"x")
                    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
                    leave(held)
                os.read(ready[0], 1)
            time.sleep(600)
    time.sleep(600)


def fill_block():
    return bytearray(b"x") * (64 << 20)


def fill_sockets():
    held = [socket.socketpair() for _ in range(150)]
    for ends in held:
        ends[0].setblocking(False)
        try:
            while True:
                ends[0].send(bytes(32 << 10))
        except BlockingIOError:
            pass
    return held


def executing():
    code = "import time; time.sleep(600)"
    in_turns(fill_block, lambda _: os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", code]))


def ending():
    in_turns(fill_block, lambda _: os._exit(0))


def closing():
    in_turns(fill_sockets, lambda _: (os.closerange(3, 1000), time.sleep(600)))


# Ways to hide.


def name(_):
    libc.prctl(15, b"\xff) R 1 1", 0, 0, 0)


def cut_name(_):
    libc.prctl(15, "x" * 14 + "\u00e9", 0, 0, 0)


def line_name(_):
    libc.prctl(15, b"\nVmRSS:\t1 kB\n", 0, 0, 0)


def session(_):
    os.setsid()


def deep(_):
    """Each generation forks the next and waits."""
    for _ in range(12):
        ctypes.create_string_buffer(PAGE)
        if os.fork():
            time.sleep(600)


def orphan(_):
    if os.fork():
        os._exit(0)


def continued(_):
    """A timer lets the process go on whenever it was told to stop."""
    event = (ctypes.c_int * 16)(0, 0, signal.SIGCONT, 0)
    timer, times = ctypes.c_void_p(), (ctypes.c_long * 4)(0, 1_000_000, 0, 1_000_000)
    if libc.timer_create(1, event, ctypes.byref(timer)) == 0:
        libc.timer_settime(timer, 0, times, None)


def relay(_):
    """Others tell each other, and this one, to go on."""
    group = os.getpgrp()
    for _ in range(4):
        if os.fork() == 0:
            while True:
                os.killpg(group, signal.SIGCONT)


def table(_):
    """A table of descriptors that is this thread's alone."""
    libc.syscall(CLOSE_RANGE, 900, 901, UNSHARE)


def stopped(take):
    """Stands still when it has what it wants."""
    take()
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(600)


def executed(_):
    """Becomes another program, in which the first threads of two generations end."""
    source = os.path.abspath(f"hidden-{os.getpid()}.py")
    with open(source, "w") as file:
        file.write(BROOD)
    os.set_inheritable(TOLD[1], True)
    os.execv(sys.executable, [sys.executable, "-I", "-S", source, str(SYS["exit"]), str(TOLD[1])])


BROOD = """
import ctypes, os, sys, threading, time
libc, leave, told = ctypes.CDLL(None), int(sys.argv[1]), int(sys.argv[2])

def hold():
    time.sleep(0.3)
    kept = b"x" * (128 << 20)
    os.write(told, len(kept).to_bytes(8, "little"))
    time.sleep(600)

def brood():
    for _ in range(6):
        if os.fork() == 0:
            threading.Thread(target=hold).start()
            time.sleep(0.05)
            libc.syscall(leave, 0)
    time.sleep(600)

if os.fork() == 0:
    threading.Thread(target=brood).start()
    libc.syscall(leave, 0)
time.sleep(600)
"""


def thread(take):
    """The first thread ends, another takes."""
    threading.Thread(target=lambda: (take(), time.sleep(600)), daemon=True).start()
    libc.syscall(SYS["exit"], 0)


def stalled(_):
    """Others change the rights of the memory map all the time, so that whoever reads it waits."""
    size = 256 << 20
    area = libc.mmap(None, ctypes.c_size_t(size), 1, 0x22 | 0x8000, -1, ctypes.c_long(0))

    def change():
        while True:
            for rights in (3, 1):
                libc.mprotect(ctypes.c_void_p(area), ctypes.c_size_t(size), rights)

    for _ in range(3):
        threading.Thread(target=change, daemon=True).start()


def take_hidden(takes, hides):
    def take():
        try:
            globals()[takes]()
        except (OSError, MemoryError, ValueError):
            pass

    for hide in hides:
        try:
            globals()[hide](take)
        except OSError:
            pass
    take()
    time.sleep(600)


def main(takes, hides, children, limit):
    """Has processes take until too much is held, or nothing more comes."""
    for _ in range(children):
        try:
            if os.fork() == 0:
                try:
                    take_hidden(takes, hides)
                finally:
                    os._exit(1)
        except OSError:
            break
    known, until = 0, time.monotonic() + 4
    while time.monotonic() < until and known <= 2 * limit << 20:
        while select.select([TOLD[0]], [], [], 0.05)[0] and known <= 2 * limit << 20:
            known += int.from_bytes(os.read(TOLD[0], 8), "little")
            until = time.monotonic() + 1.5
    if known > limit << 20:
        time.sleep(1.0)  # a peak is forgiven, keeping it is not
    return known >> 20

"""Holds files without a name in some way, far beyond the scratch space. The answer says how many MiB it had."""
import ctypes
import mmap
import os
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
FILE, CLOSE_RANGE, UNSHARE = 8 << 20, 436, 2
KEPT = []


def make(number):
    file = os.open(f"hidden-{os.getpid()}-{threading.get_ident()}-{number}", os.O_RDWR | os.O_CREAT)
    os.unlink(f"hidden-{os.getpid()}-{threading.get_ident()}-{number}")
    for _ in range(FILE >> 20):
        os.write(file, bytes(1 << 20))
    return file


def opened(number):
    KEPT.append(make(number))


def mapped(number):
    """Only one page is mapped, and no descriptor stays."""
    file = make(number)
    KEPT.append(mmap.mmap(file, mmap.PAGESIZE))
    os.close(file)


def odd_name(number):
    """Mapped under a name that is no text."""
    path = b"odd-%d-\xff" % number
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    for _ in range(FILE >> 20):
        os.write(file, bytes(1 << 20))
    KEPT.append(mmap.mmap(file, FILE))
    os.close(file)
    os.unlink(path)


def in_a_table(number):
    """Open in a table of descriptors that is a thread's own."""
    made = threading.Event()

    def hold():
        libc.syscall(CLOSE_RANGE, 900, 901, UNSHARE)
        try:
            opened(number)
        except OSError as error:
            failed.append(error)
        made.set()
        time.sleep(600)

    failed = []
    threading.Thread(target=hold, daemon=True).start()
    made.wait()
    if failed:
        raise failed[0]


def hidden_process(number):
    libc.prctl(15, b"\xff", 0, 0, 0)
    opened(number)


def main(way, megabytes):
    held = 0
    try:
        while held < megabytes:
            globals()[way](held)
            held += FILE >> 20
    except OSError:
        pass
    time.sleep(1)
    return held

"""Holds memory of one kind, piece by piece, until it is stopped. The answer says how many MiB it got."""
import ctypes
import mmap
import os
import socket
import time

PIECE = 4 << 20
kept = []


def touch(block):
    for page in range(0, len(block), 4096):
        block[page] = 1
    return len(block)


def anonymous():
    kept.append(bytearray(PIECE))
    return touch(kept[-1])


def shared():
    kept.append(mmap.mmap(-1, PIECE))
    return touch(kept[-1])


def memfd():
    kept.append(os.memfd_create("held"))
    return sum(os.write(kept[-1], b"x" * (1 << 20)) for _ in range(4))


def locked():
    kept.append(mmap.mmap(-1, PIECE))
    ctypes.CDLL(None).mlock(ctypes.addressof(ctypes.c_char.from_buffer(kept[-1])), PIECE)
    return touch(kept[-1])


def pipes():
    import fcntl

    reader, writer = os.pipe2(os.O_NONBLOCK)
    kept.append((reader, writer))
    try:
        fcntl.fcntl(writer, 1031, 1 << 20)  # F_SETPIPE_SZ
    except OSError:
        pass
    return fill(writer)


def sockets():
    ours, theirs = socket.socketpair()
    kept.append((ours, theirs))
    total = 0
    for end in (ours, theirs):
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
        except OSError:
            pass
        end.setblocking(False)
        total += fill(end.fileno())
    return total


def stdin():
    return os.write(0, b"x" * PIECE)


def hidden():
    """Shared pages that are in no process's own account any more, but still there."""
    kept.append(mmap.mmap(-1, PIECE))
    size = touch(kept[-1])
    kept[-1].madvise(mmap.MADV_DONTNEED)
    return size


def tables():
    """Page tables, and no pages: each 2 MiB of addresses need 4 KiB of them."""
    kept.append(mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ))
    sum(kept[-1][page] for page in range(0, 1 << 30, 2 << 20))
    return 2 << 20


def segments():
    """System V shared memory, attached to nobody."""
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(0, PIECE, 0o1600)
    if number < 0:
        raise OSError("no segment")
    address = ctypes.c_void_p(libc.shmat(number, None, 0))
    ctypes.memset(address, 1, PIECE)
    libc.shmdt(address)
    return PIECE


def messages():
    """System V message queues, which nobody reads."""
    libc = ctypes.CDLL(None)
    queue = libc.msgget(0, 0o1600)
    if queue < 0:
        raise OSError("no queue")
    message, total = ctypes.create_string_buffer(b"\1", 8200), 0
    while libc.msgsnd(queue, message, 8000, 0o4000) == 0:
        total += 8000
    return total


def fill(descriptor):
    total = 0
    try:
        while True:
            total += os.write(descriptor, b"x" * 65536)
    except BlockingIOError:
        return total


def files():
    kept.append(open(f"/dev/shm/{len(kept)}", "wb", buffering=0))
    return kept[-1].write(b"x" * PIECE)


def main(way, limit):
    held = 0
    try:
        while held < limit << 20:
            held += globals()[way]()
    except (OSError, MemoryError) as error:
        print(type(error).__name__, error)
    time.sleep(0.2)  # a peak is forgiven, keeping it is not
    return held >> 20

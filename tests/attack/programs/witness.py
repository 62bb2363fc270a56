"""Asks what others have in memory or have used: pages and names of the runtime, processor time of other processes."""
import ctypes
import mmap
import os
import time

libc = ctypes.CDLL(None, use_errno=True)
RWF_NOWAIT, RWF_DONTCACHE = 0x8, 0x80
COLD, PAGEOUT, MERGEABLE = 20, 21, 12


def cached(flag):
    file = os.open(os.__file__, os.O_RDONLY)
    try:
        return os.preadv(file, [bytearray(16)], 4096, flag) >= 0
    finally:
        os.close(file)


def advised(advice):
    with open(os.__file__, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as area:
        address = ctypes.addressof(ctypes.c_char.from_buffer_copy(area))  # only to know that there is something
        assert address
        area.madvise(advice)
    return True


def in_core():
    libc.mmap.restype = ctypes.c_void_p
    file = os.open(os.__file__, os.O_RDONLY)
    area = libc.mmap(None, ctypes.c_size_t(8192), 1, 1, file, ctypes.c_long(0))
    os.close(file)
    return libc.mincore(ctypes.c_void_p(area), ctypes.c_size_t(8192), ctypes.create_string_buffer(2)) == 0


def looked_up():
    """A name that somebody has asked for in vain is another one than a name that nobody has (RESOLVE_CACHED in openat2(2))."""
    how = (ctypes.c_uint64 * 3)(os.O_PATH | os.O_CLOEXEC, 0, 0x20)
    return libc.syscall(437, -100, os.__file__.encode(), how, ctypes.c_size_t(24)) >= 0


def clock_of(process):
    return time.clock_gettime(~process << 3 | 2) >= 0


def main(with_clocks):
    attempts = {
        "RWF_NOWAIT": lambda: cached(RWF_NOWAIT),
        "RWF_DONTCACHE": lambda: cached(RWF_DONTCACHE),
        "MADV_COLD": lambda: advised(COLD),
        "MADV_PAGEOUT": lambda: advised(PAGEOUT),
        "MADV_MERGEABLE": lambda: advised(MERGEABLE),
        "mincore": in_core,
        "RESOLVE_CACHED": looked_up,
    }
    if with_clocks:
        attempts["clock of 1"] = lambda: clock_of(1)
        attempts["clock of the parent"] = lambda: clock_of(os.getppid())
    breaches = []
    for name, attempt in attempts.items():
        try:
            if attempt():
                breaches.append(name)
        except OSError:
            pass
    return {"tried": len(attempts), "breaches": breaches}

"""Searches all of its own memory for secrets, by a pattern that does not match itself: none is there."""
import ctypes
import platform
import re

SECRET = re.compile(rb"[S]ECRET-[0-9a-f]{12}")
PAGE = 4096
FIRST, END = 1 << 16, (1 << {"x86_64": 47, "aarch64": 48}[platform.machine()]) - PAGE  # where a process may have memory
MAP = 0x100000 | 0x4000 | 0x20 | 0x2  # FIXED_NOREPLACE, NORESERVE, ANONYMOUS, PRIVATE
EFAULT, EEXIST = 14, 17
SIGPROCMASK = {"x86_64": 14, "aarch64": 135}[platform.machine()]

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.syscall.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t]


def listed():
    """What the kernel tells, where it does: memory that can be read, without files of others and the kernel's pages."""
    with open("/proc/self/maps") as maps:
        for span, access, *rest in map(str.split, maps):
            if access[0] == "r" and access != "r--s" and not rest[-1].startswith("[v"):
                yield tuple(int(end, 16) for end in span.split("-"))


def felt(start=FIRST, end=END):
    """Where it does not: a mapping that may replace nothing fails where there is something, so halves find all of it."""
    got = libc.mmap(start, end - start, 0, MAP, -1, 0)
    if got == start:
        libc.munmap(start, end - start)
    elif end - start == PAGE:
        yield start, end
    else:
        middle = (start + end) // 2 & -PAGE
        yield from felt(start, middle)
        yield from felt(middle, end)


def joined(pages):
    begin = end = next(pages)
    for page in pages:
        if page > end + PAGE:
            yield begin, end + PAGE
            begin = page
        end = page
    yield begin, end + PAGE


def is_readable(page):
    """The kernel reads a set of signals there, and then refuses what is to be done with it."""
    libc.syscall(SIGPROCMASK, 99, page, 0, 8)
    return ctypes.get_errno() != EFAULT


def regions():
    try:
        return list(listed())
    except OSError:
        pages = (page for start, end in felt() for page in range(start, end, PAGE))
        return list(joined(page for page in pages if is_readable(page)))


def main():
    breaches, searched = [], 0
    for start, end in regions():
        if end - start > 1 << 30:  # reserved, not used
            continue
        view = (ctypes.c_char * (end - start)).from_address(start)
        searched += end - start
        breaches += [f"{match.group()!r} at {start + match.start():#x}" for match in SECRET.finditer(view)]
    return {"tried": searched, "breaches": breaches}

"""Searches all of its own memory for secrets, by a pattern that does not match itself: none is there."""
import ctypes
import re

SECRET = re.compile(rb"[S]ECRET-[0-9a-f]{12}")


def regions():
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, access, *_ = line.split()
            if access.startswith("r") and not line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]", "[vdso]")):
                yield line.rstrip(), *(int(end, 16) for end in span.split("-"))


def main():
    breaches, searched = [], 0
    for line, start, end in list(regions()):
        if " r--s" in line or end - start > 1 << 30:
            continue
        view = (ctypes.c_char * (end - start)).from_address(start)
        searched += end - start
        breaches += [f"{match.group()!r} in {line}" for match in SECRET.finditer(view)]
    return {"tried": searched, "breaches": breaches}

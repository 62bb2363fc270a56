"""Refuses a runtime that would not work or would not be safe: check.py ARCH RUNTIME.

Every library that a program or library needs must be inside, no link may matter, nothing may be writable by
others or setuid, and the whole must fit beside the function in what AWS Lambda allows.
"""

import os
import stat
import sys
from pathlib import Path

import elf

LAMBDA_LIMIT = 250 * 1024 * 1024  # all layers and the function, unzipped
FUNCTION_SHARE = 11 * 1024 * 1024
BUDGET = LAMBDA_LIMIT - FUNCTION_SHARE
DIRECTORY_SIZE = 4096  # as du counts on ext4, whatever the file system here

MACHINES = {"x86_64": 62, "arm64": 183}
MULTIARCH = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
PROGRAMS = {"python", "python3", "python3.13"}

# The links there are: other names, which nothing in the tree depends on, so that it works without them too
# once a zip has lost them.
ALIASES = {
    *("bin", "lib", "lib64", "sbin", "var/tmp", "mnt/data"),
    *("usr/bin/python", "usr/bin/python3"),
    *("usr/lib64/ld-linux-x86-64.so.2", "usr/lib/ld-linux-aarch64.so.1"),
    *(f"usr/lib/{multiarch}/libpython3.so" for multiarch in MULTIARCH.values()),
    *(f"usr/lib/{multiarch}/libpython3.13.so" for multiarch in MULTIARCH.values()),
}


def size_of(root):
    """The bytes of a tree, as `du -sb` counts them; hard links count every time, as they do in a zip."""
    total = DIRECTORY_SIZE
    for directory, names, files in os.walk(root):
        total += sum(os.lstat(os.path.join(directory, name)).st_size for name in files)
        for name in names:
            path = os.path.join(directory, name)
            total += os.lstat(path).st_size if os.path.islink(path) else DIRECTORY_SIZE
    return total


def elf_faults(root, arch):
    default = [root / "usr/lib" / MULTIARCH[arch]]
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        file = elf.read(path)
        if file is None:
            continue
        if file.machine != MACHINES[arch]:
            yield f"{path}: made for another machine"
        if file.interpreter and not (root / file.interpreter.lstrip("/")).exists():
            yield f"{path}: its loader {file.interpreter} is not in the tree"
        own = [Path(part.replace("$ORIGIN", str(path.parent))) for part in file.search]
        for name in file.needed:
            if not any(is_real_file(place / name) for place in own + default):
                yield f"{path}: needs {name}, which is not in the tree"


def is_real_file(path):
    return path.is_file() and not path.is_symlink()


def link_fault(root, path):
    if str(path.relative_to(root)) not in ALIASES:
        return f"{path}: a link that is not one of the known aliases"
    if os.path.isabs(os.readlink(path)) or not path.exists():
        return f"{path}: link to {os.readlink(path)}, which is not in the tree"
    return None


def mode_fault(path):
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        wanted = (0o755,)
    elif stat.S_ISREG(mode):
        wanted = (0o644, 0o755)
    else:
        return f"{path}: neither file nor directory nor link"
    return None if stat.S_IMODE(mode) in wanted else f"{path}: mode {stat.S_IMODE(mode):o}"


def tree_faults(root):
    for path in [root, *root.rglob("*")]:
        fault = link_fault(root, path) if path.is_symlink() else mode_fault(path)
        if fault:
            yield fault
    for path in sorted({*root.glob("usr/bin/*"), *root.glob("usr/sbin/*")}):
        if path.name not in PROGRAMS:
            yield f"{path}: a program that does not belong there"


def size_faults(root):
    size = size_of(root)
    if size > BUDGET:
        yield f"{root}: {size} bytes, {size - BUDGET} more than the budget of {BUDGET}"


def main(arch, runtime):
    root = Path(runtime)
    faults = [*elf_faults(root, arch), *tree_faults(root), *size_faults(root)]
    for fault in faults[:40]:
        print(f"layer/build: {fault}", file=sys.stderr)
    print(f"{size_of(root):,} bytes unzipped, of {BUDGET:,} at most")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

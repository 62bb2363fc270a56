"""Packs what `sam build` made as Lambda takes it: package.py BUILD OUT ARCH.

BUILD is sam's build directory. OUT/function-ARCH.zip becomes /var/task, OUT/layer-ARCH.zip becomes /opt. The archives hold
what those of `sam deploy` do, regular files with their modes; but the same files make the same bytes. It fails where Lambda
would refuse them.
"""

import os
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "layer/steps"))

import elf  # noqa: E402

# Quotas of Lambda (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html): function and layers together,
# unpacked, and what an upload may have that does not come by S3, as sam's does.
MAX_UNPACKED_BYTES = 250 << 20
MAX_UPLOAD_BYTES = 50 << 20

# The C library of Lambda's operating system, Amazon Linux 2023 (docs.aws.amazon.com/linux/al2023/ug/core-glibc.html). A
# function that was built beside a newer one may need more than there is.
NEWEST_GLIBC = (2, 34)

# The earliest time that an archive can name.
NO_TIME = (1980, 1, 1, 0, 0, 0)

PARTS = {"function": "Executor", "layer": "RuntimeLayer"}


def files_below(root):
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            # Lambda's own unpacking keeps links, but sam's archives would hold their targets twice.
            raise SystemExit(f"package: {path} is a symbolic link")
        if path.is_file():
            yield path


def pack(root, archive):
    """Returns the bytes of all files."""
    unpacked = 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for path in files_below(root):
            entry = zipfile.ZipInfo(str(path.relative_to(root)), NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix: the attributes are st_mode
            entry.external_attr = path.stat().st_mode << 16
            content = path.read_bytes()
            unpacked += len(content)
            packed.writestr(entry, content)
    return unpacked


def check_c_library(program):
    for version in elf.read(program).versions():
        library, _, number = version.partition("_")
        if library == "GLIBC" and tuple(map(int, number.split("."))) > NEWEST_GLIBC:
            raise SystemExit(f"package: {program} needs {version}, and Lambda has nothing newer than 2.34: build it on an older system")


def main(build, out, arch):
    check_c_library(build / PARTS["function"] / "bootstrap")
    out.mkdir(parents=True, exist_ok=True)
    unpacked = 0
    for part, resource in PARTS.items():
        archive = out / f"{part}-{arch}.zip"
        new = archive.with_suffix(".new")
        size = pack(build / resource, new)
        os.replace(new, archive)
        unpacked += size
        print(f"package: {archive}: {archive.stat().st_size / 1e6:.1f} MB, {size / 1e6:.1f} MB unpacked")
    if (out / f"function-{arch}.zip").stat().st_size > MAX_UPLOAD_BYTES:
        raise SystemExit("package: the function's archive is larger than the 50 MB of a direct upload")
    if unpacked > MAX_UNPACKED_BYTES:
        raise SystemExit(f"package: {unpacked} bytes unpacked are more than Lambda's {MAX_UNPACKED_BYTES}")
    print(f"package: {unpacked / MAX_UNPACKED_BYTES:.0%} of the size that Lambda allows function and layers together")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])

"""Writes the image of what Python reads of the runtime: image.py ROOT.

Where a sandbox is a seal, no file can be opened any more, so the service maps this one file before, and a script's imports
and reads are answered from it (src/process/harness/image.py, which says what the form is). In it are /etc, the bytecode of every
module and every data file. Of sources, for which Lambda's limit on size has no room, and of libraries, which are mapped by
themselves, only the names are there.

The same tree makes the same image, byte by byte.
"""

import json
import lzma
import os
import sys

IMAGE = "usr/share/py-executor/image"
PARTS = ("etc", "usr/lib/python3.13", "usr/lib/python3", "usr/share/py-executor/matplotlib", "usr/share/zoneinfo")

# Blocks are unpacked as a whole: larger ones pack better, smaller ones are read sooner (some 10 ms for one of this size).
BLOCK = 1 << 20

# What stands before the blocks: where the index is, and its length.
HEAD = 16

BYTECODE = ".pyc"


def directories(root):
    """Each directory, by its path below the root, with the names of its directories and files."""
    for part in PARTS:
        for directory, names, files in os.walk(os.path.join(root, part)):
            names.sort()
            yield os.path.relpath(directory, root), names, sorted(files)


def is_kept(path):
    return ".so" not in os.path.basename(path) and not path.endswith(".py")


def is_data(path):
    """Bytecode and data are in blocks of their own, since similar files pack better together."""
    return not path.endswith(BYTECODE)


def blocks(root, paths, places):
    """The contents in blocks. Notes for each path in which block it begins where, and its size; the same content once."""
    known, block, count, holds_data = {}, bytearray(), 0, False
    for path in sorted(paths, key=lambda path: (is_data(path), path)):
        with open(os.path.join(root, path), "rb") as file:
            content = file.read()
        if content not in known:
            if block and (is_data(path) != holds_data or len(block) + len(content) > BLOCK):
                yield block
                block, count = bytearray(), count + 1
            holds_data = is_data(path)
            known[content] = [count, len(block), len(content)]
            block += content
        places[path] = known[content]
    yield block


def packed(content):
    return lzma.compress(content, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])


def main(root):
    listed = list(directories(root))
    kept = [path for place, _, files in listed for name in files if is_kept(path := f"{place}/{name}")]
    places, extents, end = {}, [], HEAD
    with open(os.path.join(root, IMAGE), "wb") as image:
        image.seek(end)
        for block in blocks(root, kept, places):
            content = packed(block)
            extents.append([end, len(content)])
            end += image.write(content)
        # Of a directory its name in the one above says nothing more.
        tree = {
            place: {**dict.fromkeys(names, 0), **{name: places.get(f"{place}/{name}") for name in files}}
            for place, names, files in listed
        }
        index = packed(json.dumps({"blocks": extents, "tree": tree}, separators=(",", ":")).encode())
        image.write(index)
        image.seek(0)
        image.write(end.to_bytes(8, "little") + len(index).to_bytes(8, "little"))
    print(f"image of {len(places)} files, {end + len(index):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1])

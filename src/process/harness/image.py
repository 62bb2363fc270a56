"""What Python reads of the runtime, for scripts that are sealed: one file, which a zygote maps, so that its workers need no
descriptor to read it. layer/steps/image.py makes it.

In its head are two numbers of 8 bytes, little-endian: where the index begins, and its length. The index is JSON. Its member
`blocks` says of each block where it begins, and its length. The member `tree` has the directories, by their paths below the
runtime, with the names in them: of a directory 0, of a file its block, where it begins in there, and its size, or null if
the image lacks its content. Blocks and the index are raw LZMA2.

The mapping is shared and can only be read: no process can change what another one sees, and what is not touched takes no
memory. What is in it is no secret, and nothing of the host's.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import json
import os
from importlib.machinery import EXTENSION_SUFFIXES

IMAGE = "usr/share/py-executor/image"

# How many unpacked blocks are kept, of a MiB each: an import reads many files of the same few.
KEPT_BLOCKS = 8

# Of modules in C. The last one is left out, because every library has it.
SUFFIXES = tuple(EXTENSION_SUFFIXES[:-1])

# `RTLD_LAZY`: what a function needs is found when it is called first.
LAZY = 1


class Image:
    def __init__(self, runtime):
        # Not needed where there is no image.
        import _ctypes
        import _lzma
        import mmap

        self._load_library = _ctypes.dlopen
        self._decompressor = lambda: _lzma.LZMADecompressor(
            _lzma.FORMAT_RAW, filters=[{"id": _lzma.FILTER_LZMA2, "preset": 6}]
        )
        self._root = os.path.normpath(runtime)
        # What the paths of its files begin with.
        self.prefix = self._root.rstrip("/") + "/"
        with open(os.path.join(self._root, IMAGE), "rb") as file:
            self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, trackfd=False)
        start, length = (int.from_bytes(self._content[at : at + 8], "little") for at in (0, 8))
        index = json.loads(self._unpacked(start, length))
        self._extents, self._tree = index["blocks"], index["tree"]
        self._blocks, self._mapped = {}, set()

    def map_libraries(self, part):
        """Maps the modules in C that lie in a directory of the runtime or below, with all that they need, so that no file needs to
        be opened when they are imported. Nothing of Python is run."""
        if part in self._mapped:
            return
        self._mapped.add(part)
        for directory, names in self._tree.items():
            if directory == part or directory.startswith(part + "/"):
                for name in names:
                    if name.endswith(SUFFIXES):
                        self._map(os.path.join(self._root, directory, name))

    def _map(self, path):
        try:
            self._load_library(path, LAZY)
        except OSError:
            pass  # a script that imports it will see why

    def has_any(self, part, names):
        """Whether any of these names is in a directory of the runtime."""
        return not self._tree.get(part, {}).keys().isdisjoint(names)

    def directory(self, path):
        """The names in a directory of the runtime, with 0 for directories. None: the image does not have it."""
        return self._tree.get(self._below(path))

    def read(self, path):
        """The content of a file of the runtime. None: the image does not have it."""
        directory, _, name = self._below(path).rpartition("/")
        place = self._tree.get(directory, {}).get(name)
        if not place:
            return None
        number, start, size = place
        return self._block(number)[start : start + size]

    def _below(self, path):
        """The path below the runtime, or one that is in no image."""
        path = os.path.normpath(path)
        return path[len(self.prefix) :] if path.startswith(self.prefix) else ""

    def _block(self, number):
        block = self._blocks.pop(number, None)
        if block is None:
            start, length = self._extents[number]
            block = self._unpacked(start, length)
            while len(self._blocks) >= KEPT_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
        # The one that was used last stands last, and the first one goes when another needs its place.
        self._blocks[number] = block
        return block

    def _unpacked(self, start, length):
        return self._decompressor().decompress(self._content[start : start + length])

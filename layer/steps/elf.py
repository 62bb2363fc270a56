"""What the dynamic loader looks at in an ELF file."""

import struct

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_RUNPATH = 1, 5, 14, 15, 29
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF


def read(path):
    """The ELF file at a path, or None if it is another file."""
    data = path.read_bytes()
    return Elf(data) if data[:4] == b"\x7fELF" else None


class Elf:
    """A 64-bit little-endian ELF file."""

    def __init__(self, data):
        self.data = data
        self.machine = struct.unpack_from("<H", data, 18)[0]
        offset = struct.unpack_from("<Q", data, 32)[0]
        size, count = struct.unpack_from("<HH", data, 54)
        headers = [struct.unpack_from("<IIQQQQ", data, offset + i * size) for i in range(count)]
        self.segments = [(kind, start, address, length) for kind, _, start, address, _, length in headers]
        dynamic = list(self._dynamic())
        strings = next((self._file_offset(value) for tag, value in dynamic if tag == DT_STRTAB), 0)
        self.needed = [self._string(strings + value) for tag, value in dynamic if tag == DT_NEEDED]
        self.search = [
            part
            for tag, value in dynamic
            if tag in (DT_RPATH, DT_RUNPATH)
            for part in self._string(strings + value).split(":")
        ]
        self.soname = next((self._string(strings + value) for tag, value in dynamic if tag == DT_SONAME), None)
        self.interpreter = next((self._string(s[1]) for s in self.segments if s[0] == PT_INTERP), None)

    def versions(self):
        """The versions of symbols that it needs of other libraries, such as GLIBC_2.34 (gABI, Linux Standard Base)."""
        dynamic = dict(self._dynamic())
        strings = self._file_offset(dynamic[DT_STRTAB])
        found = set()
        library = self._file_offset(dynamic[DT_VERNEED]) if DT_VERNEED in dynamic else 0
        for _ in range(dynamic.get(DT_VERNEEDNUM, 0)):
            _, count, _, first, following = struct.unpack_from("<HHIII", self.data, library)
            version = library + first
            for _ in range(count):
                _, _, _, name, step = struct.unpack_from("<IHHII", self.data, version)
                found.add(self._string(strings + name))
                version += step
            library += following
        return found

    def _dynamic(self):
        for kind, start, _, length in self.segments:
            if kind == PT_DYNAMIC:
                yield from struct.iter_unpack("<qQ", self.data[start : start + length // 16 * 16])

    def _file_offset(self, address):
        for kind, start, begin, length in self.segments:
            if kind == PT_LOAD and begin <= address < begin + length:
                return address - begin + start
        raise ValueError(f"address {address:#x} is in no segment")

    def _string(self, offset):
        return self.data[offset : self.data.index(b"\0", offset)].decode()

"""What a sealed script has open in its tree: file objects, and numbers that stand for descriptors."""

import builtins

__builtins__ = dict(vars(builtins))

import _io
import errno
import io
import os
import stat

import _harness_scratch_tree as tree

# No process can have this many descriptors, so no number means two things.
FIRST_NUMBER = 1_000_000

# What buffered files take in at once: a call of Python's costs more than the kernel's.
BUFFER = 1 << 16

NO_DESCRIPTOR = "files are kept in memory under this host's sandbox, and have no descriptor"

_open, _os_open = _io.open, os.open

# What is open, by its number.
table = {}
_last = FIRST_NUMBER - 1


class Handle:
    """What open(2) makes, and dup(2) shares. Its methods do what functions of `os` do with a descriptor."""

    __slots__ = ("node", "position", "reads", "writes", "appends")

    def __init__(self, node, flags):
        access = flags & os.O_ACCMODE
        self.node, self.position = node, 0
        self.reads, self.writes, self.appends = access != os.O_WRONLY, access != os.O_RDONLY, flags & os.O_APPEND

    def file(self, allowed=True):
        if not allowed:
            raise tree.failure(errno.EBADF)
        if type(self.node) is tree.Directory:
            raise tree.failure(errno.EISDIR)
        return self.node

    def read(self, size):
        content = self.pread(size, self.position)
        self.position += len(content)
        return content

    def pread(self, size, offset):
        return self.file(self.reads).read(offset, size)

    def read_into(self, buffer):
        read = self.file(self.reads).read_into(self.position, buffer)
        self.position += read
        return read

    def readv(self, buffers):
        return sum(map(self.read_into, buffers))

    def write(self, content):
        file = self.file(self.writes)
        if self.appends:
            self.position = len(file.data)
        written = file.write(self.position, content)
        self.position += written
        return written

    def pwrite(self, content, offset):
        return self.file(self.writes).write(offset, content)

    def writev(self, contents):
        return sum(map(self.write, contents))

    def preadv(self, buffers, offset, flags=0):
        file, start = self.file(self.reads), offset
        for buffer in buffers:
            offset += file.read_into(offset, buffer)
        return offset - start

    def pwritev(self, contents, offset, flags=0):
        return self.pwrite(b"".join(contents), offset)

    def seek(self, offset, whence):
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.node.size()}
        if whence not in bases or bases[whence] + offset < 0:
            raise tree.failure(errno.EINVAL)
        self.position = bases[whence] + offset
        return self.position

    def truncate(self, size):
        if not self.writes:
            raise tree.failure(errno.EINVAL)
        self.file().truncate(size)

    def allocate(self, offset, size):
        file = self.file(self.writes)
        if offset < 0 or size <= 0:
            raise tree.failure(errno.EINVAL)
        file.truncate(max(len(file.data), offset + size))

    def stat(self):
        return self.node.stat()

    def chmod(self, mode):
        self.node.chmod(mode)

    def nothing(self, *_):
        pass

    def no(self):
        return False

    def refuse(self, *_, **__):
        raise _io.UnsupportedOperation(NO_DESCRIPTOR)


class FileIO(io.RawIOBase):
    """The lowest layer of a file object, as elsewhere."""

    def __init__(self, handle, name, mode, number=None, closefd=True):
        self.name, self.mode, self.closefd = name, mode, closefd
        self._handle, self._number = handle, number if closefd else None
        self._reads, self._writes = "r" in mode or "+" in mode, "r" not in mode or "+" in mode

    def _opened(self):
        if self._handle is None:
            raise ValueError("I/O operation on closed file")
        return self._handle

    def readable(self):
        self._opened()
        return self._reads

    def writable(self):
        self._opened()
        return self._writes

    def seekable(self):
        self._opened()
        return True

    def isatty(self):
        self._opened()
        return False

    def fileno(self):
        self._opened()
        raise _io.UnsupportedOperation(NO_DESCRIPTOR)

    def readinto(self, buffer):
        handle = self._handle or self._opened()
        if not self._reads:
            raise _io.UnsupportedOperation("File not open for reading")
        return handle.read_into(buffer)

    def read(self, size=-1):
        handle = self._handle or self._opened()
        if not self._reads:
            raise _io.UnsupportedOperation("File not open for reading")
        return self.readall() if size is None or size < 0 else handle.read(size)

    def readall(self):
        handle = self._opened()
        return handle.read(max(0, handle.node.size() - handle.position))

    def write(self, content):
        handle = self._handle or self._opened()
        if not self._writes:
            raise _io.UnsupportedOperation("File not open for writing")
        return handle.write(content)

    def seek(self, offset, whence=os.SEEK_SET):
        return self._opened().seek(offset, whence)

    def tell(self):
        return self._opened().position

    def truncate(self, size=None):
        handle = self._opened()
        if not self._writes:
            raise _io.UnsupportedOperation("File not open for writing")
        size = handle.position if size is None else size
        handle.truncate(size)
        return size

    def close(self):
        if not self.closed:
            super().close()
            self._handle = None
            if self._number is not None:
                table.pop(self._number, None)


class _Taken(BaseException):
    """Carries a file of the tree out of the original `open`."""

    def __init__(self, raw):
        self.raw = raw


def open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    is_number = isinstance(file, int)
    if tree.space.root is None or is_number and file not in table:
        return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)

    def take(name, flags):
        if is_number:
            raise _Taken(_raw(table[file], file, mode, file, closefd))
        if opener is not None:
            descriptor = opener(name, flags)
            if descriptor not in table:
                return descriptor
            raise _Taken(_raw(table[descriptor], name, mode, descriptor))
        try:
            node = tree.open_node(name, flags, 0o666)
        except tree.Outside as outside:
            try:
                return _os_open(outside.path, flags, 0o666)
            except OSError as error:
                error.filename = name
                raise
        except OSError as error:
            error.filename = name
            raise
        raise _Taken(_raw(Handle(node, flags), name, mode))

    try:
        # The original looks for what is wrong with the arguments, and says what flags they mean.
        if is_number:
            return _open("", mode, buffering, encoding, errors, newline, True, take)
        return _open(file, mode, buffering, encoding, errors, newline, closefd, take)
    except _Taken as taken:
        raw = taken.raw
    try:
        return _layered(raw, mode, buffering, encoding, errors, newline)
    except BaseException:
        raw.close()
        raise


def _raw(handle, name, mode, number=None, closefd=True):
    if type(handle.node) is tree.Directory:
        error = tree.failure(errno.EISDIR)
        error.filename = name
        raise error
    if "a" in mode:
        handle.position = len(handle.node.data)
    letter = "x" if "x" in mode else "a" if "a" in mode else "r" if "r" in mode or "+" in mode else "w"
    return FileIO(handle, name, letter + "b" + "+" * ("+" in mode), number, closefd)


def _layered(raw, mode, buffering, encoding, errors, newline):
    if buffering == 0:
        if "b" not in mode:
            raise ValueError("can't have unbuffered text I/O")
        return raw
    kind = _io.BufferedRandom if "+" in mode else _io.BufferedReader if "r" in mode else _io.BufferedWriter
    buffer = kind(raw, BUFFER if buffering <= 1 else buffering)
    if "b" in mode:
        return buffer
    text = _io.TextIOWrapper(buffer, encoding, errors, newline, buffering == 1)
    text.mode = mode
    return text


def numbered(handle):
    global _last
    _last += 1
    table[_last] = handle
    return _last


# What the functions of `os` do with a number, by their names.
NUMBER_CALLS = {
    "close": lambda fd: table.pop(fd) and None,
    "dup": lambda fd: numbered(table[fd]),
}
NUMBER_CALLS |= {
    name: (lambda method: lambda fd, *arguments, **others: method(table[fd], *arguments, **others))(method)
    for name, method in {
        "fchmod": Handle.chmod,
        "fstat": Handle.stat,
        "ftruncate": Handle.truncate,
        "lseek": Handle.seek,
        "posix_fallocate": Handle.allocate,
        "pread": Handle.pread,
        "preadv": Handle.preadv,
        "pwrite": Handle.pwrite,
        "pwritev": Handle.pwritev,
        "read": Handle.read,
        "readv": Handle.readv,
        "write": Handle.write,
        "writev": Handle.writev,
        **dict.fromkeys(["fdatasync", "fsync", "lockf", "posix_fadvise", "set_inheritable"], Handle.nothing),
        **dict.fromkeys(["get_inheritable", "isatty"], Handle.no),
        **dict.fromkeys(["copy_file_range", "dup2", "fchdir", "fpathconf", "sendfile", "set_blocking"], Handle.refuse),
        **dict.fromkeys(["splice"], Handle.refuse),
    }.items()
}

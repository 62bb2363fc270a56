"""The files of a sealed script: a tree in the process's own memory, which stands where its scratch directory would be.

Knows nodes, paths and limits; scratch_handles.py knows what is open, scratch.py puts both in the place of Python's calls.
Nothing here keeps a script from anything: the seal does. What counts is that calls end as the kernel's would.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import errno
import os
import stat
import time

MAX_NAME = 255
MAX_PATH = 4096
MAX_LINKS = 40
BLOCK = 4096

# The names by which programs know a place for files of their own. Each stands for the scratch directory on every host.
NAMES = (["tmp"], ["var", "tmp"], ["mnt", "data"])

# What programs look for in the system, and the runtime has.
OF_RUNTIME = ("/etc/", "/usr/share/")

# No file system has this number, so nothing outside is taken for the same file.
DEVICE = 0x5C7A7C4

_fsdecode, _fsencode, _fspath, _getcwd, _umask = os.fsdecode, os.fsencode, os.fspath, os.getcwd, os.umask
_stat, _urandom = os.stat, os.urandom
now = time.time_ns


class Outside(BaseException):
    """Raised for a path that does not lead into the tree. `path`: what the kernel is to be asked for."""

    def __init__(self, path):
        self.path = path


class Space:
    """What there is once: the tree, the working directory, and how much of all is used."""

    __slots__ = ("root", "directory", "parts", "parent", "cwd", "max_bytes", "max_files", "used", "count", "last", "image")

    def __init__(self):
        self.root = None
        self.max_bytes = self.max_files = float("inf")
        self.used = self.count = self.last = 0
        # What can be read of the runtime (image.py).
        self.image = None

    def activate(self, directory, max_bytes, max_files, mode):
        self.directory = "/" + directory.strip("/")
        self.parts = self.directory.split("/")[1:]
        # None: the kernel's, which is outside of the tree.
        self.cwd = self.directory
        self.max_bytes, self.max_files = max_bytes, max_files
        # The root counts for nothing.
        self.used, self.count = 0, -1
        self.root = Directory(mode)
        self.root.links = 1


def failure(code):
    return OSError(code, os.strerror(code))


class Node:
    __slots__ = ("mode", "number", "links", "accessed", "modified", "changed")

    def __init__(self, mode):
        space.count += 1
        if space.count > space.max_files:
            raise failure(errno.ENOSPC)  # and what was begun is counted back by `__del__`
        space.last += 1
        self.mode, self.number, self.links = self.KIND | mode & 0o7777, space.last, 0
        self.accessed = self.modified = self.changed = now()

    def __del__(self):
        # As with the kernel, a file's room is free when no name and nobody who has it open is left.
        space.count -= 1

    def chmod(self, mode):
        self.mode, self.changed = self.KIND | mode & 0o7777, now()

    def touch(self):
        self.modified = self.changed = now()

    def need(self, rights):
        """All belongs to the script's user, so the owner's rights count."""
        if self.mode >> 6 & rights != rights:
            raise failure(errno.EACCES)

    def stat(self):
        size = self.size()
        times = (self.accessed, self.modified, self.changed)
        links = self.links + 1 if type(self) is Directory else self.links
        return os.stat_result(
            (self.mode, self.number, DEVICE, links, os.getuid(), os.getgid(), size)
            + (*(time // 10**9 for time in times), *(time / 10**9 for time in times), *times)
            + (BLOCK, -(-size // BLOCK) * (BLOCK // 512), 0)
        )


class Directory(Node):
    __slots__ = ("entries",)
    KIND = stat.S_IFDIR

    def __init__(self, mode):
        self.entries = {}
        super().__init__(mode)

    def size(self):
        return BLOCK


class Link(Node):
    __slots__ = ("target",)
    KIND = stat.S_IFLNK

    def __init__(self, target):
        self.target = target
        super().__init__(0o777)

    def size(self):
        return len(_fsencode(self.target))


class File(Node):
    __slots__ = ("data",)
    KIND = stat.S_IFREG

    def __init__(self, mode):
        self.data = bytearray()
        super().__init__(mode)

    def __del__(self):
        space.used -= len(self.data)
        super().__del__()

    def size(self):
        return len(self.data)

    def read(self, start, size):
        if start < 0 or size < 0:
            raise failure(errno.EINVAL)
        with memoryview(self.data) as data, data[start : start + size] as part:
            return bytes(part)

    def read_into(self, start, buffer):
        # Every view is given back at once: a bytearray cannot grow while there is one.
        with memoryview(buffer) as target, target.cast("B") as target, memoryview(self.data) as data:
            with data[start : start + len(target)] as part:
                target[: len(part)] = part
                return len(part)

    def write(self, start, content):
        if start < 0:
            raise failure(errno.EINVAL)
        data = self.data
        with memoryview(content) as content, content.cast("B") as content:
            # As the kernel does: what there is room for, and an error only if that is nothing.
            end = min(start + len(content), max(len(data) + space.max_bytes - space.used, start + 1))
            if content:
                self._reach(start, end)
                content = content[: end - start]
                before = len(data)
                try:
                    if start == before:
                        data += content
                    else:
                        data[start:end] = content
                finally:
                    space.used += len(data) - before
                self.touch()
            return len(content)

    def truncate(self, size):
        if size < 0:
            raise failure(errno.EINVAL)
        self._reach(size, size)
        space.used -= len(self.data) - size
        del self.data[size:]
        self.touch()

    def _reach(self, filled, end):
        """Makes sure that there is room up to `end`, before any is taken, and fills up to `filled` with zeros."""
        data = self.data
        if end - len(data) > space.max_bytes - space.used:
            raise failure(errno.ENOSPC)
        gap = filled - len(data)
        if gap > 0:
            data += bytes(gap)
            space.used += gap


class ForeignFile(File):
    """A file outside of the tree. It takes no room of the script's, and the kernel says what it is, though it does not open it."""

    __slots__ = ("path",)

    def __init__(self, path, content=b""):
        self.path, self.data = path, content

    def __del__(self):
        pass

    def stat(self):
        return _stat(self.path)

    def chmod(self, mode):
        raise failure(errno.EROFS)


class Null(ForeignFile):
    """The device that takes everything and has nothing."""

    __slots__ = ()

    def write(self, start, content):
        with memoryview(content) as content:
            return content.nbytes

    def truncate(self, size):
        pass


class Random(Null):
    """The device that gives random bytes, as many as are asked for."""

    __slots__ = ()

    def read(self, start, size):
        return _urandom(size)

    def read_into(self, start, buffer):
        with memoryview(buffer) as target, target.cast("B") as target:
            target[:] = _urandom(len(target))
            return len(target)


# Devices that the kernel does not open for a sealed script.
DEVICES = {"/dev/null": Null, "/dev/random": Random, "/dev/urandom": Random}


class Spot:
    """Where a path leads: a directory, a name in it, and the node of that name, if there is one."""

    __slots__ = ("given", "parent", "name", "node", "path", "slash")

    def __init__(self, given, parent=None, name=None, node=None, path=None, slash=False):
        self.given, self.parent, self.name, self.node, self.path, self.slash = given, parent, name, node, path, slash

    def found(self, kind=None, otherwise=errno.ENOTDIR):
        if self.node is None:
            raise failure(errno.ENOENT)
        if self.slash and type(self.node) is not Directory:
            raise failure(errno.ENOTDIR)
        if kind is not None and type(self.node) is not kind:
            raise failure(otherwise)
        return self.node

    def attach(self, node):
        self.parent.need(0o3)
        self.parent.entries[self.name] = node
        self.parent.touch()
        node.links += 1
        node.changed = now()

    def detach(self):
        if self.parent is None:
            raise failure(errno.EBUSY)
        self.parent.need(0o3)
        del self.parent.entries[self.name]
        self.parent.touch()
        self.node.links -= 1
        self.node.changed = now()

    def last(self):
        """The last name of the path that was given."""
        return _fsdecode(self.given).rstrip("/").rpartition("/")[2]

    def named(self, text):
        """A name as this path was given: as text or as bytes."""
        return _fsencode(text) if type(self.given) is bytes else text


def walk(path, follow=True):
    """Finds the spot that a path leads to. `follow`: also through a link at its end; None: not even if a slash follows."""
    try:
        given = _fspath(path)
        text = _fsdecode(given)
    except TypeError:
        raise Outside(path) from None  # and the original says what it thinks of that
    if "\0" in text or text.startswith("/") and ("tmp" not in text and "/data" not in text or _is_of_runtime(text)):
        raise Outside(_in_runtime(given, text))
    if not text:
        raise failure(errno.ENOENT)
    if not text.startswith("/"):
        text = f"{space.cwd or _getcwd()}/{text}"
    if len(text) >= MAX_PATH:
        raise failure(errno.ENAMETOOLONG)
    names, nodes, been_inside = _steps(text, follow)
    path = "/" + "/".join(names)
    if not nodes:
        # The kernel has never heard of a working directory or a link in the tree.
        raise Outside((_fsencode(path) if type(given) is bytes else path) if been_inside else given)
    return Spot(given, nodes[-2] if len(nodes) > 1 else None, names[-1], nodes[-1], path, text.endswith("/"))


def _steps(text, follow):
    """The names from "/" on, the nodes of those that are in the tree, of which the last one may be None, and whether it
    was ever entered."""
    names, nodes, links, been_inside = [], [], 0, False
    ahead = text.split("/")[::-1]
    while ahead:
        name = ahead.pop()
        here = nodes[-1] if nodes else None
        if name == "":
            continue
        if nodes and type(here) is not Directory:
            raise failure(errno.ENOENT if here is None else errno.ENOTDIR)
        if name == ".":
            continue
        if name == "..":
            del names[-1:], nodes[-1:]
            nodes = [space.root] if names in NAMES else nodes
            continue
        names.append(name)
        if not nodes:
            if names in NAMES:
                nodes.append(space.root)
                been_inside = True
            continue
        if names == space.parts:
            continue
        if len(name) * 4 > MAX_NAME and len(_fsencode(name)) > MAX_NAME:
            raise failure(errno.ENAMETOOLONG)
        here.need(0o1)
        node = here.entries.get(name)
        if type(node) is Link and (follow or (any(ahead) if follow is None else ahead)):
            links += 1
            if links > MAX_LINKS:
                raise failure(errno.ELOOP)
            names.pop()
            if node.target.startswith("/"):
                names, nodes = [], []
            ahead += node.target.split("/")[::-1]
            continue
        nodes.append(node)
    if nodes and names[: len(space.parts)] != space.parts:
        # One path for each node, whatever the name that was given.
        length = next(len(name) for name in NAMES if names[: len(name)] == name)
        names[:length] = space.parts
    return names, nodes, been_inside


def open_node(path, flags, mode):
    """What open(2) does: finds a node, or makes a file."""
    creates, exclusive = flags & os.O_CREAT, flags & os.O_EXCL
    try:
        spot = walk(path, not (flags & os.O_NOFOLLOW or creates and exclusive))
    except Outside as outside:
        content = None
        if outside.path in DEVICES and not flags & os.O_DIRECTORY:
            return DEVICES[outside.path](outside.path)
        if not flags & (os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_DIRECTORY):
            content = of_runtime("read", outside.path)
        if content is None:
            if not flags & os.O_CREAT and _is_path(outside.path):
                # The kernel would say that there are no descriptors, also of what is not there.
                _stat(outside.path)
            raise
        return ForeignFile(outside.path, content)
    node = spot.node
    rights = {os.O_RDONLY: 0o4, os.O_WRONLY: 0o2}.get(flags & os.O_ACCMODE, 0o6)
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        spot.found(Directory).need(0o3)
        return File(masked(mode))
    if creates and spot.slash:
        raise failure(errno.EISDIR)
    if node is None and creates:
        node = File(masked(mode))
        spot.attach(node)
        return node
    spot.found()
    if creates and exclusive:
        raise failure(errno.EEXIST)
    if type(node) is Link:
        raise failure(errno.ELOOP)
    if type(node) is Directory and (rights & 0o2 or creates):
        raise failure(errno.EISDIR)
    if type(node) is not Directory and flags & os.O_DIRECTORY:
        raise failure(errno.ENOTDIR)
    node.need(rights)
    if flags & os.O_TRUNC:
        node.truncate(0)
    return node


def _in_runtime(given, text):
    """The path by which the runtime has what a program looks for in the system."""
    if space.image is None or not (text + "/").startswith(OF_RUNTIME) or _is_of_runtime(text):
        return given
    found = space.image.prefix + text[1:]
    return _fsencode(found) if type(given) is bytes else found


def _is_of_runtime(text):
    """The runtime may lie below /tmp."""
    image = space.image
    return image is not None and image.prefix != "/" and text.startswith(image.prefix)


def of_runtime(question, path):
    """Asks the image, by the name of its method. None: it does not have that."""
    return getattr(space.image, question)(_fsdecode(path)) if _is_path(path) else None


def _is_path(value):
    return isinstance(value, (str, bytes)) and "\0" not in _fsdecode(value)


def masked(mode):
    mask = _umask(0o77)
    _umask(mask)
    return mode & ~mask


space = Space()

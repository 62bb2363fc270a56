"""One view of files where the host's root stays: /tmp and other names of the scratch directory, and the runtime's /etc.

Where the runtime is the root, these names are links and mounts. Elsewhere they are the host's, so Python's calls replace them
here before they ask the kernel. Nothing here keeps a script from anything: what can be opened is for the sandbox to decide, and
C code that opens a path by itself finds what the host has there.

To be loaded after imports.py and scratch.py. A zygote calls `install` before it imports more than it needs to be there; a worker calls
`activate` when it has its scratch directory.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import _io
import _posixsubprocess
import io
import os
import sys

from _harness_imports import change
from _harness_scratch import like
from _harness_scratch_tree import NAMES

_fsdecode, _fsencode, _fspath = os.fsdecode, os.fsencode, os.fspath
_open, _os_open = _io.open, os.open

# What programs look for in the system, and the runtime has.
OF_RUNTIME = (["etc"], ["usr", "share"])

# Calls of `os` that take a path first; `scandir` and `symlink` are put together below.
PATH_CALLS = """
    access chdir getxattr lchown listdir listxattr lstat mkdir mkfifo mknod open pathconf readlink remove removexattr
    rmdir setxattr stat statvfs truncate unlink
""".split()
PAIR_CALLS = "link rename replace".split()

# Functions of C modules that open a path themselves, by the module that scripts get them from at last.
C_CALLS = {"_dbm": "open", "_gdbm": "open", "_sqlite3": "connect"}

# Where each name leads, and the directories whose own paths stay as they are, though they may lie below such a name: the runtime and
# the worker's scratch directory.
_places = []
_kept = []


def install(runtime):
    """Puts our calls where Python's are."""
    _places[:] = ((parts, os.path.join(runtime, *parts)) for parts in OF_RUNTIME)
    _kept[:] = (runtime,)
    builtins.open = io.open = _io.open = like(_open, open)
    io.open_code = _io.open_code = like(_io.open_code, _of_path(_io.open_code))
    for names, made in ((PATH_CALLS, _of_path), (PAIR_CALLS, _of_pair), (["scandir"], _scandir_call), (["symlink"], _of_pair)):
        for name in names:
            put(name, made(getattr(os, name)))
    _posixsubprocess.fork_exec = like(_posixsubprocess.fork_exec, _fork_exec_call(_posixsubprocess.fork_exec))
    sys.path_hooks.insert(0, _path_hook)
    for name, call in C_CALLS.items():
        change(name, _replace_in(call))


def put(name, call):
    """Makes a call one of `os`, which can do what Python's can."""
    original = getattr(os, name)
    call = like(original, call)
    for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        if original in able:
            able.add(call)
    setattr(os, name, call)


def activate(directory):
    """From now on the names of the scratch directory stand for this one."""
    _kept.append(directory)
    for name in NAMES:
        _places.append((name, directory))
        # What a zygote has found there was the host's.
        sys.path_importer_cache.pop("/" + "/".join(name), None)


def real(path):
    """The path that the kernel is to be asked for; the same object where nothing is replaced."""
    try:
        given = _fspath(path)
    except TypeError:
        return path  # a descriptor, or nothing that the original will take
    text = given if type(given) is str else _fsdecode(given)
    if text[:1] != "/" or _is_kept(text):
        return path
    found = _replaced(text.split("/"))
    if found is None:
        return path
    return found if type(given) is str else _fsencode(found)


def _is_kept(text):
    for directory in _kept:
        if text == directory or text.startswith(directory + "/"):
            return True
    return False


def _replaced(steps):
    names, has_come_through = [], False
    for index, step in enumerate(steps):
        if step == "..":
            del names[-1:]
        elif step not in ("", "."):
            names.append(step)
            for parts, place in _places:
                if names != parts:
                    continue
                if not _leads_out(steps[index + 1 :]):
                    return "/".join([place, *steps[index + 1 :]])
                has_come_through = True
    # The kernel has never heard of what lies below such a name, on the way to somewhere else.
    return "/" + "/".join(names) if has_come_through else None


def _leads_out(steps):
    depth = 0
    for step in steps:
        depth += -1 if step == ".." else step not in ("", ".")
        if depth < 0:
            return True
    return False


def _named(error, *given):
    """The names in an error are those that were given."""
    if error.filename is not None:
        error.filename = _fspath(given[0])
    if error.filename2 is not None:
        error.filename2 = _fspath(given[-1])
    return error


def open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    path = real(file)
    # An opener is told the name that was given, and asks by one of the calls below.
    if path is file or opener is not None:
        return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)

    def opened(name, flags):
        return _os_open(path, flags, 0o666)

    try:
        # So that the file has the name that was given.
        return _open(file, mode, buffering, encoding, errors, newline, closefd, opened)
    except OSError as error:
        raise _named(error, file)


def _of_path(original):
    def call(*arguments, **others):
        path = arguments[0] if arguments else others.get("path")
        found = real(path)
        if found is path:
            return original(*arguments, **others)
        others.pop("path", None)
        try:
            return original(found, *arguments[1:], **others)
        except OSError as error:
            raise _named(error, path)

    return call


def _of_pair(original):
    """The target of a link is replaced too, because it is the kernel that follows it."""

    def call(src, dst, *arguments, **others):
        source, target = real(src), real(dst)
        if source is src and target is dst:
            return original(src, dst, *arguments, **others)
        try:
            return original(source, target, *arguments, **others)
        except OSError as error:
            raise _named(error, src, dst)

    return call


def _fork_exec_call(original):
    def call(arguments, executables, close, keep, directory, *others):
        return original(arguments, executables, close, keep, real(directory), *others)

    return call


def _scandir_call(original):
    def call(path=None):
        found = real(path)
        if found is path:
            return original(path)
        try:
            return _Scan(original(found), _fspath(path))
        except OSError as error:
            raise _named(error, path)

    return call


class _Scan:
    """What `os.scandir` gives, for a directory by another name."""

    def __init__(self, scan, given):
        self._scan, self._given = scan, given

    def __iter__(self):
        return self

    def __next__(self):
        return DirEntry(next(self._scan), self._given)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._scan.close()


class DirEntry:
    """Stands for the one of `os`, which nobody but its `scandir` can make."""

    __slots__ = ("name", "path", "_entry")

    def __init__(self, entry, given):
        self.name, self.path, self._entry = entry.name, os.path.join(given, entry.name), entry

    def __fspath__(self):
        return self.path

    def __repr__(self):
        return f"<DirEntry {self.name!r}>"

    def __getattr__(self, name):
        return getattr(self._entry, name)


def _path_hook(path):
    """Finds modules below a name of the scratch directory."""
    found = real(path)
    if found is path:
        raise ImportError("no other name", path=path)
    for hook in sys.path_hooks:
        if hook is not _path_hook:
            try:
                return hook(found)
            except ImportError:
                pass
    raise ImportError("no directory of modules", path=path)


def _replace_in(call):
    def replace(module):
        original = getattr(module, call)
        setattr(module, call, like(original, _of_database(original)))

    return replace


def _of_database(original):
    def call(*arguments, **others):
        if arguments:
            return original(_database(arguments[0]), *arguments[1:], **others)
        if "database" in others:
            others["database"] = _database(others["database"])
        return original(**others)

    return call


def _database(path):
    """A path, or the URI that sqlite takes for one."""
    if not isinstance(path, str) or not path.startswith("file:/"):
        return real(path)
    import urllib.parse

    parts = urllib.parse.urlsplit(path)
    return parts._replace(path=urllib.parse.quote(real(urllib.parse.unquote(parts.path)))).geturl()

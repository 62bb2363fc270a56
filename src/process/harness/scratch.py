"""Files for scripts that are sealed, where the kernel opens none: Python's calls with the tree of scratch_tree.py behind them.

To be loaded after scratch_tree.py and scratch_handles.py. A zygote calls `install` before it imports more than it needs to
be there, since modules keep `open`, or decide by `os.supports_dir_fd`, when they are imported. A worker calls `activate`
before it is sealed, `write` for each file that came with the job, and `files` at the end.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import _io
import errno
import importlib._bootstrap as _bootstrap
import importlib._bootstrap_external as _bootstrap_external
import io
import os
import posix
import stat
import sys

import _harness_scratch_handles as handles
import _harness_scratch_tree as tree
from _harness_scratch_tree import Directory, File, Link, Outside, Spot, failure, space, walk

_installed = {}


def install(image):
    """Puts our calls where Python's are. They do nothing of their own before `activate`. `image`: of the runtime."""
    space.image = image
    builtins.open = io.open = _io.open = like(_io.open, handles.open)
    io.open_code = _io.open_code = like(_io.open_code, _open_code_call(_io.open_code))
    for name in (*NUMBER_CALLS, *PATH_CALLS, *PAIR_CALLS, *OTHER_CALLS):
        _install(name)
    _say_what_is_supported()
    # For `importlib.invalidate_caches`, which takes it in when it is called.
    import importlib.metadata


def is_active():
    return space.root is not None


def activate(directory, max_bytes, max_files):
    """From now on all below `directory`, which is there, empty and the working directory, is in memory."""
    mode = os.stat(directory).st_mode
    space.activate(directory, max_bytes, max_files, mode)
    # By which Python's own finders look for modules, in archives, too, and `py_compile` writes what it has compiled.
    posix.listdir, posix.stat = os.listdir, os.stat
    _bootstrap_external._write_atomic = _write_code
    sys.path_hooks.insert(0, _Finder)
    for path in [*sys.path_importer_cache]:
        if _is_inside(path):
            del sys.path_importer_cache[path]
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None


def write(name, content):
    """Puts a file of the job's in its place."""
    path = f"{space.directory}/{name}"
    try:
        end = path.find("/", len(space.directory) + 1)
        while end > 0:
            spot = walk(path[:end])
            if spot.node is None:
                spot.attach(Directory(tree.masked(0o777)))
            end = path.find("/", end + 1)
        node = tree.open_node(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        if node.write(0, content) < len(content):
            raise failure(errno.ENOSPC)
    except OSError as error:
        error.filename = name
        raise


def files(
    _root=type(space).root.__get__,
    _space=space,
    _directory=Directory,
    _file=File,
    _entries=Directory.entries.__get__,
    _data=File.data.__get__,
    _trace=sys.settrace,
    _profile=sys.setprofile,
    _max_path=tree.MAX_PATH,
):
    """The name, size and content of each file that is there. None of it runs code of the script's, whatever that has made of
    this tree, of these modules and of Python."""
    found, seen = [], set()

    def held(get, node, kind):
        try:
            value = get(node)
            return value if type(value) is kind else kind()
        except BaseException:
            return kind()  # of something that was not made here

    try:
        _trace(None)
        _profile(None)
        ahead = [("", _root(_space))]
        while ahead:
            prefix, directory = ahead.pop()
            # A tree that is not of our making could have no end.
            if type(directory) is not _directory or id(directory) in seen or len(prefix) > _max_path:
                continue
            seen.add(id(directory))
            for name, node in [*held(_entries, directory, dict).items()]:
                if type(name) is not str or name in ("", ".", "..") or "/" in name or "\0" in name:
                    continue
                if type(node) is _directory:
                    ahead.append((f"{prefix}{name}/", node))
                elif type(node) is _file:
                    content = memoryview(held(_data, node, bytearray)).toreadonly()
                    found.append((prefix + name, len(content), content))
        found.sort(key=lambda file: file[0])
    except BaseException:
        pass  # memory may have run out: what was found by then is there
    return iter(found)


def _is_inside(path):
    return path == space.directory or path.startswith(space.directory + "/")


# What the functions of `os` do in the tree. Called with a spot instead of a path, and what else they take.


def _stat(spot, *, follow_symlinks=True):
    return spot.found().stat()


def _access(spot, mode, *, effective_ids=False, follow_symlinks=True):
    return spot.found().mode >> 6 & mode == mode


def _listdir(spot):
    return [spot.named(name) for name in _listed(spot)]


def _scandir(spot):
    names = _listed(spot)
    # Of a descriptor it is the name alone.
    prefix = "" if isinstance(spot.given, int) else os.path.join(spot.given, spot.named(""))
    entries = spot.node.entries
    return _Scan([DirEntry(spot.named(name), prefix, f"{spot.path}/{name}", entries[name]) for name in names])


def _listed(spot):
    directory = spot.found(Directory)
    directory.need(0o4)
    return [*directory.entries]


def _chdir(spot):
    spot.found(Directory).need(0o1)
    space.cwd = spot.path


def _chmod(spot, mode, *, follow_symlinks=True):
    spot.found().chmod(mode)


def _chown(spot, uid, gid, *, follow_symlinks=True):
    if spot.found() and not (uid in (-1, os.getuid()) and gid in (-1, os.getgid())):
        raise failure(errno.EPERM)


def _utime(spot, times=None, *, ns=None, follow_symlinks=True):
    if times is not None and ns is not None:
        raise ValueError("utime: you may specify either 'times' or 'ns' but not both")
    node, given = spot.found(), times if ns is None else ns
    node.changed = tree.now()
    if given is None:
        node.accessed = node.modified = node.changed
        return
    if type(given) is not tuple or len(given) != 2:
        what = "'ns' must be a tuple of two ints" if times is None else "'times' must be either a tuple of two ints or None"
        raise TypeError(f"utime: {what}")
    if ns is None:
        given = [int(time // 1) * 10**9 + int(time % 1 * 1e9) for time in times]
    node.accessed, node.modified = given


def _truncate(spot, length):
    file = spot.found(File, errno.EISDIR)
    file.need(0o2)
    file.truncate(length)


def _mkdir(spot, mode=0o777):
    if spot.node is not None:
        raise failure(errno.EEXIST)
    spot.attach(Directory(tree.masked(mode)))


def _rmdir(spot):
    if spot.last() == ".":
        raise failure(errno.EINVAL)
    if spot.found(Directory).entries:
        raise failure(errno.ENOTEMPTY)
    spot.detach()


def _unlink(spot):
    if type(spot.found()) is Directory:
        raise failure(errno.EISDIR)
    spot.detach()


def _readlink(spot):
    return spot.named(spot.found(Link, errno.EINVAL).target)


def _statvfs(spot):
    spot.found()
    total, free = space.max_bytes // tree.BLOCK, (space.max_bytes - space.used) // tree.BLOCK
    nodes = space.max_files - space.count
    return os.statvfs_result((tree.BLOCK, tree.BLOCK, total, free, free, space.max_files, nodes, nodes, 0, tree.MAX_NAME))


def _make_special(spot, *arguments):
    raise failure(errno.EPERM)


def _attribute(spot, *arguments, follow_symlinks=True):
    spot.found()
    raise failure(errno.ENOTSUP)


def _rename(source, target):
    if {source.last(), target.last()} & {".", ".."}:
        raise failure(errno.EBUSY)
    node, other = source.found(), target.node
    if node is other:
        return
    if source.parent is None or target.parent is None:
        raise failure(errno.EBUSY)
    if target.path.startswith(source.path + "/"):
        raise failure(errno.EINVAL)
    if type(node) is Directory:
        if other is not None and target.found(Directory).entries:
            raise failure(errno.ENOTEMPTY)
    elif type(other) is Directory:
        raise failure(errno.ENOTEMPTY if source.path.startswith(target.path + "/") else errno.EISDIR)
    elif target.slash:
        raise failure(errno.ENOTDIR)
    target.parent.need(0o3)
    source.detach()
    if other is not None:
        target.detach()
    target.attach(node)


def _link(source, target, *, follow_symlinks=True):
    node = source.found()
    if target.node is not None:
        raise failure(errno.EEXIST)
    if type(node) is Directory:
        raise failure(errno.EPERM)
    if target.slash:
        raise failure(errno.ENOENT)
    target.attach(node)


class DirEntry:
    """Stands for the one of `os`, which nobody but its `scandir` can make."""

    __slots__ = ("name", "path", "_place", "_node")

    def __init__(self, name, prefix, place, node):
        self.name, self.path, self._place, self._node = name, prefix + name if prefix else name, place, node

    def __fspath__(self):
        return self.path

    def __repr__(self):
        return f"<DirEntry {self.name!r}>"

    def inode(self):
        return self._node.number

    def is_symlink(self):
        return type(self._node) is Link

    def is_junction(self):
        return False

    def is_dir(self, *, follow_symlinks=True):
        return self._is(stat.S_ISDIR, follow_symlinks)

    def is_file(self, *, follow_symlinks=True):
        return self._is(stat.S_ISREG, follow_symlinks)

    def _is(self, test, follow):
        if type(self._node) is not Link:
            return test(self._node.mode)
        try:
            return follow and test(self.stat().st_mode)
        except FileNotFoundError:
            return False

    def stat(self, *, follow_symlinks=True):
        if not follow_symlinks or not self.is_symlink():
            return self._node.stat()
        try:
            return os.stat(self._place)
        except OSError as error:
            error.filename = self.path
            raise


class _RuntimeEntry(DirEntry):
    """One of a directory of the runtime. The kernel says what it is, though it does not list it."""

    __slots__ = ()

    def inode(self):
        return self.stat().st_ino

    def is_symlink(self):
        return False

    def is_dir(self, *, follow_symlinks=True):
        return self._node == 0

    def is_file(self, *, follow_symlinks=True):
        return self._node != 0

    def stat(self, *, follow_symlinks=True):
        return os.stat(self._place)


class _Scan:
    """What `os.scandir` gives."""

    def __init__(self, entries):
        self._entries = iter(entries)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._entries = iter(())


def _listdir_of_runtime(given, path, names):
    return [Spot(given).named(name) for name in names]


def _scandir_of_runtime(given, path, names):
    given, path = os.fspath(given), os.fsdecode(path)
    prefix = os.path.join(given, given[:0])
    return _Scan([_RuntimeEntry(Spot(given).named(name), prefix, f"{path}/{name}", node) for name, node in names.items()])


OF_RUNTIME = {_listdir: _listdir_of_runtime, _scandir: _scandir_of_runtime}


# How each function is put together: what it does, whether it goes through a link at the end of a path (None: not even if a
# slash follows), and whether it takes a descriptor instead of one.
PATH_CALLS = {
    "access": (_access, True, False),
    "chdir": (_chdir, True, False),
    "chmod": (_chmod, True, True),
    "chown": (_chown, True, True),
    "lchown": (_chown, False, False),
    "listdir": (_listdir, True, True),
    "lstat": (_stat, False, False),
    "mkdir": (_mkdir, None, False),
    "readlink": (_readlink, False, False),
    "rmdir": (_rmdir, None, False),
    "scandir": (_scandir, True, True),
    "stat": (_stat, True, True),
    "statvfs": (_statvfs, True, True),
    "truncate": (_truncate, True, True),
    "utime": (_utime, True, True),
    **dict.fromkeys(["remove", "unlink"], (_unlink, None, False)),
    **dict.fromkeys(["mkfifo", "mknod"], (_make_special, None, False)),
    **dict.fromkeys(["getxattr", "listxattr", "removexattr", "setxattr"], (_attribute, True, True)),
}
NUMBER_CALLS = handles.NUMBER_CALLS | {
    "fchown": lambda fd, uid, gid: _chown(_spot_of(fd), uid, gid),
    "fstatvfs": lambda fd: _statvfs(_spot_of(fd)),
}
PAIR_CALLS = {"link": _link, "rename": _rename, "replace": _rename}
LINKS_FOLLOWED_OR_NOT = ("access", "chown", "stat", "utime")


def _of_path(original, ours, follow, by_number):
    nameless = "." if ours in (_listdir, _scandir) else None

    def call(path=None, *arguments, dir_fd=None, **others):
        if dir_fd is not None:
            return original(path, *arguments, dir_fd=_real(dir_fd), **others)
        if space.root is None:
            return original(path, *arguments, **others)
        try:
            if isinstance(path, int):
                if not by_number or path not in handles.table:
                    return original(path, *arguments, **others)
                spot = _spot_of(path)
            else:
                spot = walk(nameless if path is None else path, others.get("follow_symlinks", follow))
            return ours(spot, *arguments, **others)
        except Outside as outside:
            names = tree.of_runtime("directory", outside.path) if ours in OF_RUNTIME else None
            if names is not None:
                return OF_RUNTIME[ours](path, outside.path, names)
            return _outside(original, path, outside.path, *arguments, **others)
        except OSError as error:
            if ours is _access:
                return False
            raise _named(error, path)

    return call


def _outside(original, given, path, *arguments, **others):
    """Asks the kernel. The name in an error is the one that was given."""
    try:
        return original(path, *arguments, **others)
    except OSError as error:
        if path is not given and error.filename == path:
            error.filename = given
        raise


def _spot_of(descriptor):
    return Spot(descriptor, node=handles.table[descriptor].node)


def _of_pair(original, ours):
    def call(src, dst, *, src_dir_fd=None, dst_dir_fd=None, **others):
        if src_dir_fd is not None or dst_dir_fd is not None:
            others.update(src_dir_fd=_real(src_dir_fd), dst_dir_fd=_real(dst_dir_fd))
            return original(src, dst, **others)
        if space.root is None:
            return original(src, dst, **others)
        try:
            source, target = _sought(src), _sought(dst)
            if type(source) is not type(target) and _is_path(source.path) and _is_path(target.path):
                raise failure(errno.EXDEV)
            if Outside in (type(source), type(target)):
                return original(source.path, target.path, **others)
            return ours(source, target, **others)
        except OSError as error:
            raise _named(error, src, dst)

    return call


def _sought(path):
    try:
        return walk(path, None)
    except Outside as outside:
        return outside


def _is_path(value):
    return isinstance(value, (str, bytes)) and "\0" not in os.fsdecode(value)


def _of_number(original, ours):
    def call(fd, *arguments, **others):
        if isinstance(fd, int) and fd in handles.table:
            return ours(fd, *arguments, **others)
        return original(fd, *arguments, **others)

    return call


def _real(descriptor):
    if descriptor in handles.table:
        raise NotImplementedError("dir_fd unavailable on this platform")
    return descriptor


def _named(error, path, other=None):
    """As Python's own calls do, with the paths that were given; but what the kernel was asked has its names already."""
    if error.filename is None and error.errno is not None and not isinstance(path, int):
        error.filename = os.fspath("." if path is None else path)
        if other is not None:
            error.filename2 = os.fspath(other)
    return error


def _open_call(original):
    def call(path, flags, mode=0o777, *, dir_fd=None):
        if dir_fd is not None or space.root is None:
            return original(path, flags, mode, dir_fd=_real(dir_fd))
        try:
            return handles.numbered(handles.Handle(tree.open_node(path, flags, mode), flags))
        except Outside as outside:
            path = outside.path
        except OSError as error:
            raise _named(error, path)
        return original(path, flags, mode)

    return call


def _open_code_call(original):
    def call(path):
        return original(path) if space.root is None else handles.open(path, "rb")

    return call


def _symlink_call(original):
    def call(src, dst, target_is_directory=False, *, dir_fd=None):
        if dir_fd is not None or space.root is None:
            return original(src, dst, target_is_directory, dir_fd=_real(dir_fd))
        try:
            spot, target = walk(dst, None), os.fsdecode(src)
            if spot.node is not None:
                raise failure(errno.EEXIST)
            if spot.slash or not target:
                raise failure(errno.ENOENT)
            spot.attach(Link(target))
            return
        except Outside as outside:
            dst = outside.path
        except OSError as error:
            raise _named(error, src, dst)
        original(src, dst)

    return call


def _getcwd_call(original):
    def call():
        if space.root is None or space.cwd is None:
            return original()
        walk(space.cwd).found()
        return space.cwd if original.__name__ == "getcwd" else os.fsencode(space.cwd)

    return call


def _leaving(original):
    def chdir(path):
        original(path)
        space.cwd = None

    return chdir


OTHER_CALLS = {"getcwd": _getcwd_call, "getcwdb": _getcwd_call, "open": _open_call, "symlink": _symlink_call}


def _install(name):
    original = getattr(os, name)
    if name in NUMBER_CALLS:
        call = _of_number(original, NUMBER_CALLS[name])
    elif name in PATH_CALLS:
        call = _of_path(_leaving(original) if name == "chdir" else original, *PATH_CALLS[name])
    elif name in PAIR_CALLS:
        call = _of_pair(original, PAIR_CALLS[name])
    else:
        call = OTHER_CALLS[name](original)
    _installed[name] = like(original, call)
    setattr(os, name, _installed[name])


def like(original, call):
    """Makes a function look like another one. It is static because what is built in does not become a method either."""
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(call, attribute, getattr(original, attribute))
    call.__wrapped__ = original
    return staticmethod(call)


def _say_what_is_supported():
    """So that shutil and others go by paths, for which a tree needs no descriptors of directories."""
    for names in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        names.clear()
    os.supports_fd.update(_installed[name] for name, (_, _, by_number) in PATH_CALLS.items() if by_number)
    os.supports_follow_symlinks.update(_installed[name] for name in LINKS_FOLLOWED_OR_NOT)
    os.supports_effective_ids.add(_installed["access"])


class _Finder:
    """Finds modules in a directory of the tree."""

    def __init__(self, path):
        spot = _spot(path)
        if spot is None or type(spot.node) is not Directory:
            raise ImportError("not a directory in memory")
        self._path = spot.path

    def find_spec(self, name, target=None):
        base = f"{self._path}/{name.rpartition('.')[2]}"
        for path, below in ((f"{base}/__init__.py", [base]), (f"{base}.py", None)):
            if type(_node(path)) is File:
                loader = _Loader(name, path)
                return _bootstrap_external.spec_from_file_location(
                    name, path, loader=loader, submodule_search_locations=below
                )
        if type(_node(base)) is not Directory:
            return None
        spec = _bootstrap.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [base]
        return spec

    def iter_modules(self, prefix=""):
        """For pkgutil."""
        directory = _node(self._path)
        for name, node in sorted(directory.entries.items()) if type(directory) is Directory else ():
            if type(node) is File and name.endswith(".py") and name != "__init__.py":
                yield prefix + name[:-3], False
            elif type(node) is Directory and "__init__.py" in node.entries:
                yield prefix + name, True

    def invalidate_caches(self):
        pass


def _write_code(path, data, mode=0o666):
    with handles.open(path, "wb") as file:
        file.write(data)


class _Loader(_bootstrap_external.FileLoader, _bootstrap_external.SourceLoader):
    def get_data(self, path):
        with handles.open(path, "rb") as file:
            return file.read()


def _node(path):
    spot = _spot(path)
    return spot and spot.node


def _spot(path):
    try:
        return walk(path)
    except (OSError, Outside):
        return None

"""Modes, owners and times of files where they cannot be changed by name, because the script's user may own others than the script's:
Python's calls do it by a descriptor, which only what the sandbox lets a script open can have.

To be loaded after names.py; a zygote calls `install` after the one of that.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import contextlib
import errno
import os
import stat

from _harness_names import put

_close, _dup, _fchmod, _fchown, _fstat, _utime = os.close, os.dup, os.fchmod, os.fchown, os.fstat, os.utime

# Descriptors of what a script has made unreadable, by device and inode, with which it can make it readable again: nobody could
# open it for that. So many at the most.
MAX_KEPT = 64
_kept = {}

NOT_OF_LINKS = "{}: a link itself cannot be changed under this host's sandbox"


def install():
    """Puts our calls where Python's are."""
    put("chmod", _chmod)
    put("chown", _chown)
    put("utime", _set_times)
    # For shutil, which copies a link without its times then.
    os.supports_follow_symlinks.discard(os.utime)


def _chmod(path, mode, *, dir_fd=None, follow_symlinks=True):
    try:
        with _opened(path, dir_fd, follow_symlinks) as descriptor:
            _fchmod(descriptor, mode)
            _keep(descriptor, mode)
    except _IsLink:
        raise NotImplementedError("chmod: follow_symlinks unavailable on this platform") from None


def _chown(path, uid, gid, *, dir_fd=None, follow_symlinks=True):
    try:
        with _opened(path, dir_fd, follow_symlinks) as descriptor:
            _fchown(descriptor, uid, gid)
    except _IsLink:
        raise NotImplementedError(NOT_OF_LINKS.format("chown")) from None


def _set_times(path, times=None, *, ns=None, dir_fd=None, follow_symlinks=True):
    chosen = {} if ns is None else {"ns": ns}
    try:
        with _opened(path, dir_fd, follow_symlinks) as descriptor:
            _utime(descriptor, times, **chosen) if times is not None else _utime(descriptor, **chosen)
    except _IsLink:
        raise NotImplementedError(NOT_OF_LINKS.format("utime")) from None


class _IsLink(Exception):
    pass


@contextlib.contextmanager
def _opened(path, dir_fd, follow_symlinks):
    if isinstance(path, int):
        yield path
        return
    descriptor, is_kept = _descriptor_of(path, dir_fd, follow_symlinks)
    try:
        yield descriptor
    except OSError as error:
        # As Python's own calls, which were given it.
        error.filename = os.fspath(path)
        raise
    finally:
        if not is_kept:
            _close(descriptor)


def _descriptor_of(path, dir_fd, follow_symlinks):
    """A descriptor, and whether it is kept."""
    link, refused = 0 if follow_symlinks else os.O_NOFOLLOW, None
    for access in (os.O_RDONLY, os.O_WRONLY):
        try:
            return os.open(path, access | os.O_NONBLOCK | link, dir_fd=dir_fd), False
        except OSError as error:
            refused = refused or error
            if refused.errno != errno.EACCES:
                break
    found = os.stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
    if stat.S_ISLNK(found.st_mode):
        raise _IsLink
    kept = _kept.get((found.st_dev, found.st_ino))
    if kept is None:
        raise refused
    return kept, True


def _keep(descriptor, mode):
    found = _fstat(descriptor)
    key = found.st_dev, found.st_ino
    if mode & 0o400:
        kept = _kept.pop(key, None)
        if kept is not None:
            _close(kept)
    elif key not in _kept and len(_kept) < MAX_KEPT:
        _kept[key] = _dup(descriptor)

"""Databases of sqlite3 for scripts that are sealed: in memory, and written to their files when something is committed.

SQLite's file system `memdb` lets all connections of a process to one name share a database, with locks as of files. What a file
has is copied in when a script connects to it first. To be loaded after imports.py and scratch.py; a zygote calls `install`.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import errno
import os
import urllib.parse
import weakref

import _harness_scratch_tree as tree
from _harness_imports import change
from _harness_scratch import like

# Connections that are open, so that all is written when a script has ended.
_open_ones = weakref.WeakSet()

# Databases, by the numbers of their files: a name may come to be another file's.
_databases = {}

# Of the parameter `mode` in a URI, what the file is opened for.
FLAGS = {"ro": os.O_RDONLY, "rw": os.O_RDWR, "rwc": os.O_RDWR | os.O_CREAT}


def install():
    change("_sqlite3", _replace_connect)


def save():
    """Writes what scripts have not committed by a call of theirs."""
    for connection in [*_open_ones]:
        connection._save()


class _Database:
    """What a file has, in memory for as long as this has its connection."""

    def __init__(self, module, connect, node):
        self.module, self.connect, self.node = module, connect, node
        self.name = f"file:/{node.number}?vfs=memdb"
        self.connection = connect(self.name, uri=True, check_same_thread=False)
        self.seen = None

    def load(self):
        """Takes over what something else than SQLite has written."""
        if self.seen == self.node.modified or self.seen is None and not self.node.data:
            self.seen = self.node.modified
            return
        source = self.connect(":memory:")
        if self.node.data:
            source.deserialize(bytes(self.node.data))
        source.backup(self.connection)
        source.close()
        self.seen = self.node.modified

    def save(self):
        has_pages = self.connection.execute("pragma page_count").fetchone() != (0,)
        content = self.connection.serialize() if has_pages else b""
        if content != self.node.data:
            try:
                written = self.node.write(0, content)
            except OSError:
                written = 0
            if written < len(content):
                raise self.module.OperationalError("database or disk is full")
            self.node.truncate(len(content))
        self.seen = self.node.modified


def _replace_connect(module):
    original = module.connect

    def connect(database, *arguments, **others):
        path, mode = _path(database, others)
        if path is None:
            return original(database, *arguments, **others)
        kept = _database(module, original, path, mode)
        try:
            kept.load()
        except module.DatabaseError:
            # As with a file: the first statement says that it has no database.
            broken = original(":memory:", *arguments, **others)
            broken.deserialize(bytes(kept.node.data))
            return broken
        others["factory"] = _saving(others.get("factory", module.Connection), kept)
        others["uri"] = True
        connection = original(kept.name, *arguments, **others)
        connection.execute("pragma temp_store = memory")
        if mode == "ro":
            connection.execute("pragma query_only = on")
        _open_ones.add(connection)
        return connection

    module.connect = like(original, connect)


def _path(database, others):
    """The path of a file in the tree, and the mode in which a URI has it opened. None: it is no such file."""
    try:
        text = os.fsdecode(database)
    except TypeError:
        return None, None
    mode = "rwc"
    if others.get("uri") and text.startswith("file:"):
        parts = urllib.parse.urlsplit(text)
        text, mode = urllib.parse.unquote(parts.path), urllib.parse.parse_qs(parts.query).get("mode", [mode])[0]
    if text in ("", ":memory:") or mode not in FLAGS:
        return None, None
    try:
        tree.walk(text)
    except tree.Outside:
        return None, None
    except OSError:
        pass  # the call that opens it says so, too
    return text, mode


def _database(module, connect, path, mode):
    try:
        node = tree.open_node(path, FLAGS[mode], 0o644)
        if type(node) is not tree.File:
            raise tree.failure(errno.EISDIR)
    except OSError as error:
        raise module.OperationalError("unable to open database file") from error
    return _databases.get(node.number) or _databases.setdefault(node.number, _Database(module, connect, node))


def _saving(factory, database):
    class Connection(factory):
        def commit(self):
            super().commit()
            self._save()

        def close(self):
            # Of what was not committed nothing stays.
            super().close()
            self._save()
            if not database.node.links:
                # Its file has no name any more, so nobody comes back to it.
                _databases.pop(database.node.number, None)

        def __exit__(self, *error):
            ended = super().__exit__(*error)
            self._save()
            return ended

        def _save(self):
            database.save()

    Connection.__name__ = Connection.__qualname__ = factory.__name__
    Connection.__module__ = factory.__module__
    return Connection

"""Databases of sqlite3 for scripts that are sealed: in memory, and written to their files when something is committed.

SQLite's file system `memdb` lets all connections of a process to one name share a database, with locks as of files. What a file
has is copied in when a script connects to it first. To be loaded after imports.py and scratch.py; a zygote calls `install`.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import os
import urllib.parse
import weakref

import _harness_scratch_handles as handles
import _harness_scratch_tree as tree
from _harness_imports import change
from _harness_scratch import like

# Connections that are open, so that all is written when a script has ended.
_open_ones = weakref.WeakSet()

# Of each database a connection that keeps it in memory, by the path of its file.
_kept = {}


def install():
    change("_sqlite3", _replace_connect)


def save():
    """Writes what scripts have not committed by a call of theirs."""
    for connection in [*_open_ones]:
        connection._save()


def _replace_connect(module):
    original = module.connect

    def connect(database, *arguments, **others):
        path, query = _path(database, arguments, others)
        if path is None:
            return original(database, *arguments, **others)
        if query.get("mode", ["rwc"])[0] in ("ro", "rw") and not os.path.exists(path):
            raise module.OperationalError("unable to open database file")
        name = _name(path)
        if path not in _kept:
            _kept[path] = _loaded(module, original, path, name)
        others["factory"] = _saving(module, others.get("factory", module.Connection), path)
        others["uri"] = True
        connection = original(name, *arguments, **others)
        connection.execute("pragma temp_store = memory")
        if query.get("mode") == ["ro"]:
            connection.execute("pragma query_only = on")
        _open_ones.add(connection)
        return connection

    module.connect = like(original, connect)


def _path(database, arguments, others):
    """The path of a file in the tree, and what a URI says besides. None: it is no such file."""
    try:
        text = os.fsdecode(database)
    except TypeError:
        return None, {}
    query = {}
    if others.get("uri") and text.startswith("file:"):
        parts = urllib.parse.urlsplit(text)
        text, query = urllib.parse.unquote(parts.path), urllib.parse.parse_qs(parts.query)
    if not text or text == ":memory:" or "memory" in query.get("mode", []) or len(arguments) > 4:
        return None, query
    try:
        spot = tree.walk(text)
    except (tree.Outside, OSError):
        return None, query
    return spot.path, query


def _name(path):
    return f"file:{urllib.parse.quote(path)}?vfs=memdb"


def _loaded(module, connect, path, name):
    """A connection to a database that has what the file has."""
    kept = connect(name, uri=True, check_same_thread=False)
    try:
        with handles.open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return kept
    if content:
        source = connect(":memory:")
        source.deserialize(content)
        source.backup(kept)
        source.close()
    return kept


def _saving(module, factory, path):
    class Connection(factory):
        def commit(self):
            super().commit()
            self._save()

        def close(self):
            super().close()
            self._save()

        def __exit__(self, *error):
            ended = super().__exit__(*error)
            self._save()
            return ended

        def _save(self):
            try:
                with handles.open(path, "wb") as file:
                    file.write(_kept[path].serialize())
            except OSError as error:
                raise module.OperationalError("database or disk is full") from error

    Connection.__name__ = Connection.__qualname__ = factory.__name__
    Connection.__module__ = factory.__module__
    return Connection

"""sqlite3 and dbm, in memory and in files, with locks."""
import dbm
import dbm.dumb
import os
import shelve
import sqlite3
import threading
import time

with sqlite3.connect(":memory:") as base:
    base.execute("create virtual table words using fts5(word)")
    base.execute("insert into words values ('hello world')")
    assert base.execute("select count(*) from words where word match 'world'").fetchone() == (1,)
for mode in ("wal", "delete", "truncate", "persist", "memory"):
    name = f"{mode}.db"
    base = sqlite3.connect(name, timeout=10)
    assert base.execute(f"pragma journal_mode={mode}").fetchone() == (mode,)
    base.execute("pragma mmap_size=1048576")
    base.execute("create table t (a integer primary key, b)")

    def insert(first):
        other = sqlite3.connect(name, timeout=20)
        for number in range(first, first + 5):
            with other:
                other.execute("insert into t values (?, ?)", (number, "x" * 1000))
        other.close()

    threads = [threading.Thread(target=insert, args=(10 * n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pid = os.fork()
    if pid == 0:
        insert(100)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert base.execute("select count(*) from t").fetchone() == (15,)
    base.execute("begin exclusive")
    try:
        sqlite3.connect(name, timeout=0.05).execute("insert into t values (999, 1)")
    except sqlite3.OperationalError as error:
        assert "locked" in str(error), error
    else:
        raise AssertionError
    base.rollback()
    base.execute("vacuum")
    with sqlite3.connect("backup.db") as target:
        base.backup(target)
    base.close()
with shelve.open("shelf") as shelf:
    shelf["a"] = [1, 2]
with shelve.open("shelf") as shelf:
    assert shelf["a"] == [1, 2]
for module in (dbm, dbm.dumb):
    with module.open(f"dbm-{module.__name__}", "c") as file:
        file["k"] = "v"
        assert file["k"] == b"v"
assert time.monotonic() > 0

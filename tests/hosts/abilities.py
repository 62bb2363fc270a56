"""Uses everything that makes files, threads and processes. Answers for each use whether it works."""
import os


def square(number):
    return number * number


def put(queue, value):
    queue.put(value)


def pictures():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.plot([1, 2, 3])
    plt.savefig("picture.png")
    return os.path.getsize("picture.png") > 1000


def tables():
    import pandas as pd

    pd.DataFrame({"a": [1, 2]}).to_csv("table.csv", index=False)
    return pd.read_csv("table.csv")["a"].sum() == 3


def arrays():
    import numpy as np

    np.save("array.npy", np.arange(5))
    return np.load("array.npy").sum() == 10 and (np.ones((50, 50)) @ np.ones((50, 50)))[0, 0] == 50


def threads():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(square, range(5))) == 30


def processes():
    import multiprocessing

    process = multiprocessing.Process(target=square, args=(2,))
    process.start()
    process.join()
    return process.exitcode == 0


def pools():
    import multiprocessing

    with multiprocessing.Pool(2) as pool:
        return pool.map(square, [1, 2]) == [1, 4]


def queues():
    import multiprocessing

    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=put, args=(queue, "sent"))
    process.start()
    received = queue.get(timeout=20)
    process.join()
    return received == "sent"


def locks():
    import multiprocessing

    lock = multiprocessing.Lock()
    with lock:
        return not lock.acquire(block=False)


def shared_memory():
    from multiprocessing.shared_memory import SharedMemory

    block = SharedMemory(create=True, size=16)
    try:
        block.buf[:2] = b"hi"
        again = SharedMemory(block.name)
        return bytes(again.buf[:2]) == b"hi"
    finally:
        block.unlink()


def subprocesses():
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True)
    return done.stdout == "42\n"


def temporary_files():
    import tempfile

    with tempfile.TemporaryDirectory() as directory, tempfile.NamedTemporaryFile(dir=directory) as file:
        file.write(b"x")
        file.flush()
        return os.path.getsize(file.name) == 1


def databases():
    import sqlite3

    with sqlite3.connect("data.db") as database:
        database.execute("create table numbers (n integer)")
        database.executemany("insert into numbers values (?)", [(1,), (2,)])
        return database.execute("select sum(n) from numbers").fetchone() == (3,)


def event_loops():
    import asyncio

    async def both():
        return await asyncio.gather(asyncio.sleep(0, 1), asyncio.to_thread(square, 2))

    return asyncio.run(both()) == [1, 4]


def time_zones():
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset().seconds == 7200


def time_zones_of_pandas():
    import pandas as pd

    return pd.Timestamp("2024-07-01", tz="Europe/Berlin").tz_convert("UTC").hour == 22


USES = {
    "arrays": arrays,
    "asyncio": event_loops,
    "matplotlib": pictures,
    "multiprocessing lock": locks,
    "multiprocessing pool": pools,
    "multiprocessing process": processes,
    "multiprocessing queue": queues,
    "pandas files": tables,
    "pandas time zones": time_zones_of_pandas,
    "shared memory": shared_memory,
    "sqlite3": databases,
    "subprocess": subprocesses,
    "tempfile": temporary_files,
    "threads": threads,
    "zoneinfo": time_zones,
}


def answer(use):
    try:
        return "works" if use() else "a wrong result"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main():
    return {name: answer(use) for name, use in USES.items()}

"""multiprocessing with fork, its default in this Python."""
import multiprocessing as mp
import multiprocessing.pool
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory

import numpy as np


def square(n):
    return n * n


def child(items, lock, event, value, numbers, pipe):
    event.wait(10)
    with lock:
        value.value += 1
        numbers[0] += 2
    items.put(os.getpid())
    pipe.send({"sum": sum(numbers), "array": np.arange(50_000)})


def add(name):
    memory = shared_memory.SharedMemory(name=name)
    np.ndarray(10, dtype="int64", buffer=memory.buf)[:] += 1
    memory.close()


def main():
    assert mp.get_start_method() == "fork" and mp.cpu_count() > 0
    items, lock, event, (ours, theirs) = mp.Queue(), mp.Lock(), mp.Event(), mp.Pipe()
    value, numbers = mp.Value("i", 1), mp.Array("d", 4)
    process = mp.Process(target=child, args=(items, lock, event, value, numbers, theirs))
    process.start()
    event.set()
    assert items.get(timeout=10) == process.pid and ours.recv()["sum"] == 2
    process.join(10)
    assert process.exitcode == 0 and value.value == 2
    with mp.Pool(2) as pool:
        assert pool.map(square, range(20)) == [n * n for n in range(20)]
        assert pool.apply_async(square, (3,)).get(10) == 9
        assert sorted(pool.imap_unordered(square, range(3))) == [0, 1, 4]
    with mp.pool.ThreadPool(2) as pool:
        assert pool.map(square, range(3)) == [0, 1, 4]
    with ProcessPoolExecutor(2) as pool:
        assert list(pool.map(square, range(5))) == [0, 1, 4, 9, 16]
    memory = shared_memory.SharedMemory(create=True, size=80)
    array = np.ndarray(10, dtype="int64", buffer=memory.buf)
    array[:] = 1
    process = mp.Process(target=add, args=(memory.name,))
    process.start()
    process.join(10)
    assert process.exitcode == 0 and array.sum() == 20
    del array
    memory.close()
    memory.unlink()
    shared = shared_memory.ShareableList([1, "two", 3.0])
    assert shared[1] == "two"
    shared.shm.close()
    shared.shm.unlink()
    process = mp.Process(target=time.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join(10)
    assert process.exitcode == -15
    semaphore, condition, barrier, joinable = mp.Semaphore(1), mp.Condition(), mp.Barrier(1), mp.JoinableQueue()
    with semaphore, condition:
        condition.notify_all()
    barrier.wait(1)
    joinable.put(1)
    joinable.get()
    joinable.task_done()
    joinable.join()
    # A manager is a server with a socket, and there are none.
    try:
        mp.Manager()
    except (EOFError, PermissionError):
        pass
    else:
        raise AssertionError("a socket could be made")


if __name__ == "__main__":
    main()

"""Threads, and what they wait for each other with."""
import contextvars
import queue
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

with ThreadPoolExecutor(8) as pool:
    assert sum(future.result() for future in as_completed([pool.submit(pow, n, 2) for n in range(100)])) == 328350
condition, ready = threading.Condition(), []
barrier, event, lock = threading.Barrier(3), threading.Event(), threading.RLock()


def wait():
    barrier.wait(10)
    with condition:
        assert condition.wait_for(lambda: ready, 10)
    assert event.wait(10)


threads = [threading.Thread(target=wait, name=f"waiter-{n}", daemon=True) for n in range(2)]
for thread in threads:
    thread.start()
barrier.wait(10)
with condition:
    ready.append(1)
    condition.notify_all()
event.set()
for thread in threads:
    thread.join(10)
    assert not thread.is_alive() and thread.native_id
items = queue.PriorityQueue(5)
producer = threading.Thread(target=lambda: [items.put(n) for n in (3, 1, 2)])
producer.start()
producer.join()
assert [items.get(timeout=1) for _ in range(3)] == [1, 2, 3]
try:
    items.get(timeout=0.01)
except queue.Empty:
    pass
semaphore, timer = threading.BoundedSemaphore(2), threading.Event()
with semaphore, lock, lock:
    assert semaphore.acquire(timeout=1) and not semaphore.acquire(timeout=0.01)
semaphore.release()
threading.Timer(0.01, timer.set).start()
assert timer.wait(10)
threading.stack_size(1 << 20)
local = threading.local()
local.x = 1
thread = threading.Thread(target=time.sleep, args=(0.01,))
thread.start()
thread.join(0.001)
thread.join()
assert contextvars.copy_context() is not None and sys.getswitchinterval() > 0

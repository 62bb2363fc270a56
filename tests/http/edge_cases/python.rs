//! The language itself: coroutines, pickling, processes, threads, tracebacks and signals work inside the sandbox.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::server::AT_ONCE;

async fn returns(script: &str, expected: Value) {
    let reply = Server::shared().execute(script).await;
    assert_eq!(reply.returned::<Value>(), expected, "{reply}");
}

#[tokio::test]
async fn a_coroutine_is_awaited() {
    let script = "
        import asyncio

        async def double(number):
            await asyncio.sleep(0.01)
            return 2 * number

        async def main(numbers):
            loop = asyncio.get_running_loop()
            slow = await loop.run_in_executor(None, sum, numbers)
            return [slow, *await asyncio.gather(*map(double, numbers))]
    ";
    let inputs = json!({ "inputs": { "numbers": [1, 2, 3] } });
    let reply = Server::shared().execute_with(script, inputs).await;
    assert_eq!(reply.returned::<Value>(), json!([6, 2, 4, 6]), "{reply}");
}

#[tokio::test]
async fn tasks_and_threads_left_running_do_not_hold_the_answer() {
    let start = std::time::Instant::now();
    for script in [
        "import threading, time\ndef main():\n    threading.Thread(target=time.sleep, args=(60,)).start()\n    return 1",
        "import threading\ndef loop():\n    while True: pass\ndef main():\n    threading.Thread(target=loop).start()\n    return 1",
        "import asyncio\nasync def main():\n    asyncio.create_task(asyncio.sleep(60))\n    return 1",
        "import asyncio, time\nasync def main():\n    asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)\n    return 1",
        "import concurrent.futures, time\npool = concurrent.futures.ThreadPoolExecutor(2)\ndef main():\n    pool.submit(time.sleep, 60)\n    return 1",
        "import asyncio\nasync def stubborn():\n    while True:\n        try: await asyncio.sleep(60)\n        except BaseException: pass\nasync def main():\n    asyncio.create_task(stubborn())\n    await asyncio.sleep(0)\n    return 1",
    ] {
        Server::shared().execute(script).await.succeeds("1", "");
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn main_can_use_an_event_loop_of_its_own() {
    let script = "
        import asyncio

        async def work():
            reader, writer = asyncio.Queue(), asyncio.Event()
            await reader.put(5)
            writer.set()
            return await reader.get()

        def main():
            return asyncio.run(work())
    ";
    Server::shared().execute(script).await.succeeds("5", "");
}

#[tokio::test]
async fn classes_of_the_script_can_be_pickled() {
    let script = "
        import copy, dataclasses, enum, pickle

        @dataclasses.dataclass(order=True)
        class Point:
            x: int
            y: 'int' = 2

        class Colour(enum.Enum):
            RED = 1

        def main():
            point = pickle.loads(pickle.dumps(Point(1)))
            same = pickle.loads(pickle.dumps(Colour.RED)) is Colour.RED
            return [dataclasses.asdict(point), point == Point(1), same, copy.deepcopy(point).y,
                    pickle.loads(pickle.dumps(main)) is main, repr(point)]
    ";
    let expected = json!([{ "x": 1, "y": 2 }, true, true, 2, true, "Point(x=1, y=2)"]);
    returns(script, expected).await;
}

#[tokio::test]
async fn annotations_of_the_script_can_be_resolved() {
    let script = "
        from __future__ import annotations
        import dataclasses, typing

        @dataclasses.dataclass
        class Node:
            next: typing.Optional[Node] = None

        def main():
            return typing.get_type_hints(Node)['next'] == typing.Optional[Node]
    ";
    Server::shared().execute(script).await.succeeds("true", "");
}

#[tokio::test]
async fn a_pool_of_processes_works() {
    let script = "
        import multiprocessing

        def square(number):
            return number * number

        def main():
            with multiprocessing.Pool(2) as pool:
                return pool.map(square, range(5))
    ";
    returns(script, json!([0, 1, 4, 9, 16])).await;
}

#[tokio::test]
async fn processes_queues_and_executors_work() {
    let script = "
        import concurrent.futures, multiprocessing

        def put(queue, lock, value, array):
            with lock:
                value.value += 1
                array[1] = 7
                queue.put('from the child')

        def main():
            queue, lock = multiprocessing.Queue(), multiprocessing.Lock()
            value, array = multiprocessing.Value('i', 4), multiprocessing.Array('d', 3)
            process = multiprocessing.Process(target=put, args=(queue, lock, value, array))
            process.start()
            text = queue.get(timeout=5)
            process.join()
            with concurrent.futures.ProcessPoolExecutor(2) as pool:
                total = sum(pool.map(abs, [-1, -2]))
            return [text, process.exitcode, total, value.value, list(array)]
    ";
    returns(script, json!(["from the child", 0, 3, 5, [0.0, 7.0, 0.0]])).await;
}

#[tokio::test]
async fn a_new_interpreter_can_be_started() {
    let script = "
        import subprocess, sys

        def main():
            source = 'import numpy, sys; print(sys.argv[1], numpy.arange(3).sum()); sys.exit(4)'
            done = subprocess.run([sys.executable, '-c', source, 'x'], capture_output=True, text=True)
            return [done.returncode, done.stdout, done.stderr]
    ";
    returns(script, json!([4, "x 3\n", ""])).await;
}

#[tokio::test]
async fn eight_threads_work() {
    let script = "
        import threading
        from concurrent.futures import ThreadPoolExecutor

        def main():
            barrier = threading.Barrier(8)
            with ThreadPoolExecutor(8) as pool:
                return sorted(pool.map(lambda number: (barrier.wait(5), number)[1], range(8)))
    ";
    returns(script, json!([0, 1, 2, 3, 4, 5, 6, 7])).await;
}

#[tokio::test]
async fn source_and_traceback_of_the_script_can_be_read() {
    let script = "
        import inspect, traceback

        def fail():
            raise ValueError('x')  # here

        def main():
            try:
                fail()
            except ValueError:
                return [inspect.getsource(fail), traceback.format_exc()]
    ";
    let reply = Server::shared().execute(script).await;
    let (source, text): (String, String) = reply.returned();
    assert_eq!(source, "def fail():\n    raise ValueError('x')  # here\n", "{reply}");
    for part in ["File \"script.py\", line 8, in main", "    fail()", "raise ValueError('x')  # here", "ValueError: x"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[tokio::test]
async fn frames_of_a_traceback_are_the_scripts_alone_from_main_on() {
    let script = "
        import sys, traceback

        def main():
            return [frame.name for frame in traceback.extract_stack() if frame.filename == 'script.py']
    ";
    returns(script, json!(["main"])).await;
}

#[tokio::test]
async fn signal_handlers_run() {
    let script = "
        import os, signal

        def main():
            seen = []
            signal.signal(signal.SIGALRM, lambda number, frame: seen.append('alarm'))
            signal.signal(signal.SIGUSR1, lambda number, frame: seen.append('usr1'))
            signal.signal(signal.SIGTERM, lambda number, frame: seen.append('term'))
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            signal.pause()
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGTERM)
            return seen
    ";
    returns(script, json!(["alarm", "usr1", "term"])).await;
}

#[tokio::test]
async fn signals_begin_with_pythons_own_handling() {
    let script = "
        import os, signal

        def main():
            changed = [number.name for number in signal.valid_signals() if isinstance(number, signal.Signals)
                       and signal.getsignal(number) is not signal.SIG_DFL]
            reader, writer = os.pipe()
            os.close(reader)
            try:
                os.write(writer, b'x')
            except BrokenPipeError:
                return [sorted(changed), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))]
    ";
    returns(script, json!([["SIGINT", "SIGPIPE", "SIGXFSZ"], []])).await;
}

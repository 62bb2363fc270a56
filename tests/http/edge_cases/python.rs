//! Ordinary Python that has to keep working inside the sandbox.

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

        def put(queue, lock):
            with lock:
                queue.put('from the child')

        def main():
            queue, lock = multiprocessing.Queue(), multiprocessing.Lock()
            process = multiprocessing.Process(target=put, args=(queue, lock))
            process.start()
            text = queue.get(timeout=5)
            process.join()
            with concurrent.futures.ProcessPoolExecutor(2) as pool:
                total = sum(pool.map(abs, [-1, -2]))
            return [text, process.exitcode, total]
    ";
    returns(script, json!(["from the child", 0, 3])).await;
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
async fn the_scratch_directory_is_home_and_empty_and_writable() {
    let script = "
        import os, pathlib, tempfile
        before = [os.listdir('.'), os.listdir(tempfile.gettempdir())]

        def main():
            here = os.getcwd()
            same = [os.environ['HOME'] == here, os.environ['TMPDIR'] == here,
                    tempfile.gettempdir() == here, str(pathlib.Path.home()) == here,
                    os.path.expanduser('~') == here]
            pathlib.Path('a/b').mkdir(parents=True)
            pathlib.Path('a/b/c.txt').write_text('é')
            pathlib.Path('a/b/c.txt').rename('d.txt')
            os.symlink('d.txt', 'link')
            os.chmod('d.txt', 0o600)
            with tempfile.TemporaryDirectory() as directory:
                with tempfile.NamedTemporaryFile(dir=directory) as file:
                    file.write(b'x')
            return [before, all(same), pathlib.Path('link').read_text(), sorted(os.listdir())]
    ";
    returns(script, json!([[[], []], true, "é", ["a", "d.txt", "link"]])).await;
}

#[tokio::test]
async fn a_database_file_works() {
    let script = "
        import sqlite3

        def main():
            with sqlite3.connect('data.db') as database:
                database.execute('create table t (x)')
                database.executemany('insert into t values (?)', [(1,), (2,)])
            again = sqlite3.connect('data.db')
            return again.execute('select sum(x), count(*) from t').fetchone()
    ";
    returns(script, json!([3, 2])).await;
}

#[tokio::test]
async fn the_standard_library_is_whole() {
    let modules = "asyncio bz2 calendar cmath collections concurrent.futures contextvars csv ctypes \
        dataclasses datetime decimal difflib email encodings.idna enum fractions gzip hashlib \
        heapq hmac html http.client inspect io ipaddress itertools json locale logging lzma math mmap \
        multiprocessing numbers operator pathlib pickle platform pprint queue random re secrets \
        select shelve shutil signal socket sqlite3 ssl statistics string struct subprocess tarfile \
        tempfile textwrap threading tomllib traceback types typing unicodedata unittest urllib.parse \
        urllib.request uuid warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo";
    let script = "
        import importlib

        def main(modules):
            missing = []
            for name in modules:
                try:
                    importlib.import_module(name)
                except ImportError as error:
                    missing.append(f'{name}: {error}')
            return missing
    ";
    let modules: Vec<&str> = modules.split_whitespace().collect();
    let inputs = json!({ "inputs": { "modules": modules } });
    let reply = Server::shared().execute_with(script, inputs).await;
    assert_eq!(reply.returned::<Value>(), json!([]), "{reply}");
}

#[tokio::test]
async fn the_packages_work() {
    let script = "
        import io
        import matplotlib
        matplotlib.use('Agg')
        import matplotlib.pyplot as plt
        import numpy as np
        import pandas as pd

        def main():
            frame = pd.read_csv(io.StringIO('d,n\\n2024-01-01,1\\n2024-01-02,2\\n'), parse_dates=['d'])
            plt.plot(frame['d'], frame['n'])
            plt.title('naïve')
            plt.savefig('plot.png')
            inverse = np.linalg.inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
            return [inverse.tolist(), frame['n'].mean(), open('plot.png', 'rb').read(4).hex(),
                    str(frame['d'].dt.tz_localize('Europe/Berlin').iloc[1])]
    ";
    let expected = json!([[[0.5, 0.0], [0.0, 0.25]], 1.5, "89504e47", "2024-01-02 00:00:00+01:00"]);
    returns(script, expected).await;
}

#[tokio::test]
async fn time_zones_are_known() {
    let script = "
        import datetime, time, zoneinfo

        def main():
            zone = zoneinfo.ZoneInfo('America/New_York')
            moment = datetime.datetime(2024, 7, 1, 12, tzinfo=zone)
            return [moment.isoformat(), time.tzname[0], len(zoneinfo.available_timezones()) > 400]
    ";
    returns(script, json!(["2024-07-01T12:00:00-04:00", "UTC", true])).await;
}

#[tokio::test]
async fn text_is_utf_8_everywhere() {
    let script = "
        import locale, pathlib, subprocess, sys

        def main():
            pathlib.Path('ü.txt').write_text('é€')
            child = subprocess.run([sys.executable, '-c', 'print(open(\"ü.txt\").read())'],
                                   capture_output=True, text=True)
            return [child.stdout, locale.getpreferredencoding().lower(), sys.getfilesystemencoding(),
                    sys.stdout.encoding.lower(), len(pathlib.Path('ü.txt').read_bytes())]
    ";
    returns(script, json!(["é€\n", "utf-8", "utf-8", "utf-8", 5])).await;
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

#[tokio::test]
async fn three_hundred_megabytes_of_numbers_fit() {
    let script = "
        import numpy

        def main():
            return float(numpy.ones(300 * 2 ** 20 // 8).sum())
    ";
    Server::shared().execute(script).await.succeeds("39321600.0", "");
}

#[tokio::test]
async fn memory_that_was_freed_does_not_count() {
    let script = "
        def main():
            for _ in range(10):
                block = bytearray(200 * 2 ** 20)
                for page in range(0, len(block), 4096):
                    block[page] = 1
                del block
            return 1
    ";
    Server::shared().execute(script).await.succeeds("1", "");
}

#[tokio::test]
async fn no_two_runs_draw_the_same() {
    let script = "
        import os, random, secrets, tempfile, uuid
        import numpy

        def main():
            return [
                str(random.random()),
                str(random.SystemRandom().random()),
                str(numpy.random.rand()),
                str(numpy.random.default_rng().random()),
                str(uuid.uuid4()),
                str(uuid.uuid1()),
                secrets.token_hex(),
                os.urandom(8).hex(),
                os.path.basename(tempfile.mktemp()),
            ]
    ";
    let mut seen: Vec<Vec<String>> = Vec::new();
    for _ in 0..6 {
        let draws: Vec<String> = Server::shared().execute(script).await.returned();
        for earlier in &seen {
            for (index, (now, then)) in draws.iter().zip(earlier).enumerate() {
                assert_ne!(now, then, "draw number {index}");
            }
        }
        seen.push(draws);
    }
}

#[tokio::test]
async fn a_seed_makes_draws_repeat() {
    let script = "
        import random, numpy

        def main():
            random.seed(1)
            numpy.random.seed(1)
            return [random.random(), numpy.random.rand()]
    ";
    let server = Server::shared();
    for _ in 0..2 {
        let drawn = server.execute(script).await.success().value.replace(' ', "");
        assert_eq!(drawn, "[0.13436424411240122,0.417022004702574]");
    }
}

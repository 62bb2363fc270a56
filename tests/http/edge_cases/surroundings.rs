//! What surrounds a script: its directory, libraries, packages, locale, memory and random numbers.

use serde_json::{Value, json};

use crate::support::Server;

async fn returns(script: &str, expected: Value) {
    let reply = Server::shared().execute(script).await;
    assert_eq!(reply.returned::<Value>(), expected, "{reply}");
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

/// Until it executes its program it has its parent's memory, which is a while where it has many places to look for it in.
#[tokio::test]
async fn a_child_that_looks_for_its_program_counts_once() {
    let script = "
        import subprocess

        def main():
            block, misses = b'x' * 300_000_000, 0
            path = ':'.join(['/nowhere'] * 10_000)
            for _ in range(20):
                try:
                    subprocess.run(['no-such-program'], env={'PATH': path})
                except FileNotFoundError:
                    misses += 1
            return misses
    ";
    Server::shared().execute(script).await.succeeds("20", "");
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

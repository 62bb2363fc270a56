"""The Python side of a worker: runs one script.

It is executed once, in the zygote, as a module that no import finds. A worker calls `prepare` when it is locked in,
which has it rehearse, and `run` when its job has come. Both live in the process that the script controls, so nothing that they say is trusted;
what counts is that an honest script gets an honest answer whatever it has patched, which is why everything that is
needed after the script ran is captured here, before.
"""

import builtins

# A copy: functions look names up in the dictionary that stands here when they are made, so that a script which patches
# `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import _io
import _json
import contextlib
import gc
import importlib
import json
import linecache
import os
import random  # reseeds itself after a fork
import sys
import threading
import traceback
import types

# What an answer begins with; protocol.rs reads it.
RETURNED, RAISED, NOT_SERIALIZABLE, NO_MAIN, NOT_CALLABLE, TOO_LARGE = b"R", b"E", b"J", b"M", b"C", b"L"

# An exception's message is cut at this many characters.
MAX_MESSAGE = 32 * 1024
MAX_NAME = 1024

FILE = "script.py"

# How many event loops a sealed script can make.
EVENT_LOOPS = 4

# Modules that others import when they are first used, which is too late in a sealed worker.
LATE = [
    "_strptime",
    "_suggestions",
    "bisect",
    "calendar",
    "contextvars",
    "csv",
    "ctypes",
    "decimal",
    "difflib",
    "encodings.ascii",
    "encodings.base64_codec",
    "encodings.charmap",
    "encodings.cp1252",
    "encodings.cp437",
    "encodings.cp850",
    "encodings.hex_codec",
    "encodings.idna",
    "encodings.iso8859_1",
    "encodings.iso8859_15",
    "encodings.latin_1",
    "encodings.punycode",
    "encodings.raw_unicode_escape",
    "encodings.rot_13",
    "encodings.unicode_escape",
    "encodings.utf_16",
    "encodings.utf_16_be",
    "encodings.utf_16_le",
    "encodings.utf_32",
    "encodings.utf_32_be",
    "encodings.utf_32_le",
    "encodings.utf_7",
    "encodings.utf_8_sig",
    "fractions",
    "hashlib",
    "heapq",
    "html.entities",
    "io",
    "ipaddress",
    "locale",
    "numpy.char",
    "numpy.ctypeslib",
    "numpy.fft",
    "numpy.ma.mrecords",
    "numpy.polynomial",
    "numpy.rec",
    "numpy.strings",
    "pandas.core.interchange.dataframe",
    "pandas.core.methods.select",
    "pandas.core.methods.to_dict",
    "pandas.core.reshape.reshape",
    "pandas.io.formats.csvs",
    "pandas.io.formats.excel",
    "pandas.io.formats.html",
    "pandas.io.formats.string",
    "pandas.io.formats.xml",
    "pickle",
    "pprint",
    "secrets",
    "shlex",
    "statistics",
    "string",
    "tempfile",
    "textwrap",
    "tracemalloc",
    "unicodedata",
    "uuid",
    "zoneinfo",
]

# What else is preloaded, because many scripts import it.
COMMON = [
    "argparse",
    "ast",
    "asyncio",
    "base64",
    "bisect",
    "calendar",
    "collections",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "glob",
    "hashlib",
    "heapq",
    "html",
    "inspect",
    "io",
    "itertools",
    "json",
    "logging",
    "math",
    "operator",
    "pathlib",
    "pickle",
    "pprint",
    "queue",
    "re",
    "secrets",
    "shutil",
    "statistics",
    "string",
    "struct",
    "subprocess",
    "tempfile",
    "textwrap",
    "time",
    "typing",
    "unicodedata",
    "urllib.parse",
    "uuid",
    "zlib",
    "zoneinfo",
]

# How often a zygote rehearses: until Python does not change its code any more (PEP 659).
ROUNDS = 6

# What a zygote does before it forks, so that Python has made what it makes when something is done for the first time.
FULL_REHEARSAL = """
import json
import math
import re


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def length(self):
        return math.hypot(self.x, self.y)


def main(number):
    points = [Point(index, index * 1.5) for index in range(number)]
    words = {f"word {index}": [index, str(index), None, True, 0.5] for index in range(number)}
    try:
        raise ValueError("rehearsal")
    except ValueError as error:
        print(error, number, sep=" ")
    total = sum(point.length() for point in points)
    text = re.sub("[0-9]+", "n", ", ".join(sorted(words)))
    print(f"{total:.3f} {text!r}")
    more()
    return {"total": total, "words": words, "text": json.loads(json.dumps(text))}


def more():
    pass
"""

# The same with pandas.
FULL_PANDAS_REHEARSAL = """
import numpy as np
import pandas as pd


def more():
    series = pd.Series(np.arange(4.0)) * 2 + 0.5
    frame = pd.DataFrame({"a": series, "b": ["x", "y", "x", "y"]})
    frame["c"] = frame["a"] * 2
    print(series.sum(), series.mean(), frame.shape, np.array([[1, 2], [3, 4]]).dot([1, 2]))
    frame[frame["a"] > 1].to_dict()
"""

# What a worker does while it waits for its job, which must be little, because it takes a processor.
REHEARSAL = """
def main(number):
    print("rehearsal")
    more()
    return [number]


def more():
    pass
"""

PANDAS_REHEARSAL = """
import numpy as np
import pandas as pd


def more():
    return (pd.Series(np.arange(3.0)) * 2).sum()
"""

# What a sealed script cannot make, by what its absence looks like.
FILES, DESCRIPTORS, THREADS, PROCESSES = "files", "files and sockets", "threads", "processes"

# A type's fix, for a result that JSON cannot hold.
HINTS = {
    "ndarray": "return .tolist()",
    "DataFrame": "return .to_dict()",
    "Series": "return .to_dict() or .tolist()",
    "Index": "return .tolist()",
    "Timestamp": "return .isoformat()",
    "datetime": "return .isoformat()",
    "date": "return .isoformat()",
    "time": "return .isoformat()",
    "set": "return a list",
    "frozenset": "return a list",
    "bytes": "return .decode() or .hex()",
    "bytearray": "return .decode() or .hex()",
    "Decimal": "return str() or float() of it",
    "UUID": "return str() of it",
    "complex": "return its .real and .imag",
    "generator": "return list() of it",
    "map": "return list() of it",
    "filter": "return list() of it",
    "zip": "return list() of it",
    "range": "return list() of it",
    "dict_keys": "return list() of it",
    "dict_values": "return list() of it",
    "dict_items": "return list() of it",
}


class _Descriptor(_io.FileIO):
    """A pipe that takes all that it is given: after a signal handler ran, write(2) may have taken only a part."""

    def write(self, data, _write=_io.FileIO.write, _len=len, _view=memoryview):
        written = _write(self, data)
        total = _len(data)
        while written is not None and written < total:
            more = _write(self, _view(data)[written:])
            if more is None:  # the script has made it non-blocking, and it is full
                break
            written += more
        return written


def _stream(descriptor, errors):
    # Nothing is buffered: what was printed before a crash, a kill or os._exit has already left, and is in order with
    # what C code and child processes wrote.
    raw = _Descriptor(descriptor, "wb", closefd=False)
    stream = _io.TextIOWrapper(raw, encoding="utf-8", errors=errors, newline="\n", write_through=True)
    stream.mode = "w"
    return stream


def warm_up(to_preload, sealed, runtime):
    """Gets a zygote ready for forks. Answers what it has as JSON, or what went wrong."""
    # Modules make much that stays, and little garbage.
    gc.disable()
    names = _names(to_preload)
    for name in names:
        if importlib._bootstrap._find_spec(name.partition(".")[0], None) is None:
            return f"error: No module named {name!r}".encode()
    sys.stdout = sys.__stdout__ = _stream(1, "surrogateescape")
    sys.stderr = sys.__stderr__ = _stream(2, "backslashreplace")
    sys.argv[:] = [FILE]
    sys.path.insert(0, "/tmp")
    sys.executable = os.path.join(os.fsdecode(runtime), "usr/bin/python3.13")
    if sealed:
        _import_late_ones([])
    return _get_ready_for_forks(False)


def preload(names, sealed):
    """Imports modules ahead, in a fork of a zygote that has been warmed up. Answers as `warm_up` does."""
    gc.disable()
    names = _names(names)
    for name in names:
        try:
            __import__(name)
        except BaseException as error:
            return f"error: {name}: {type(error).__name__}: {error}".encode()
    for name in COMMON:
        _try_import(name)
    if sealed:
        _import_late_ones(names)
    if threading.active_count() != 1 or len(os.listdir("/proc/self/task")) != 1:
        return b"error: a preloaded module has started a thread, which no fork would have"
    return _get_ready_for_forks("numpy" in names and "pandas" in names)


def _names(text):
    return [*filter(None, text.decode().split(","))]


def _get_ready_for_forks(has_pandas):
    _rehearsal[:] = [REHEARSAL + PANDAS_REHEARSAL if has_pandas else REHEARSAL]
    for _ in range(ROUNDS):
        _rehearse(FULL_REHEARSAL + FULL_PANDAS_REHEARSAL if has_pandas else FULL_REHEARSAL)
        _rehearse(*_rehearsal)
    # Objects of before the fork are not visited by the collector, so their pages stay shared.
    gc.freeze()
    gc.enable()
    loaded = {name.partition(".")[0] for name in (*sys.modules, *sys.builtin_module_names)}
    return json.dumps({"python": sys.version.split()[0], "loaded": sorted(loaded)}).encode()


def _rehearse(script):
    """Does what jobs do, so that a worker which waits for its job has the memory already that this takes. Of pages that it
    shares with others a process gets its own when it first writes to them, and each costs as much as a hundred lines of
    Python.

    Nothing of it can be seen afterwards.
    """
    stdout = sys.stdout
    # What is to be sent out goes nowhere.
    null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    try:
        sys.stdout = _stream(null, "surrogateescape")
        answer = run(script.encode(), b'{"number": 3}', 1 << 20)
    finally:
        sys.stdout = stdout
        os.close(null)
    if not answer.startswith(RETURNED):
        raise RuntimeError(f"the rehearsal failed: {answer.decode()}")
    # A module and its functions refer to each other: only the collector would find them.
    sys.modules.pop("script").__dict__.clear()
    linecache.cache.clear()


def _import_late_ones(preloaded):
    import zoneinfo

    # A zone is kept by whoever holds it, and found there by its name.
    _zones[:] = (zoneinfo.ZoneInfo(key) for key in sorted(zoneinfo.available_timezones()))
    for name in LATE:
        if name.partition(".")[0] in preloaded or name.partition(".")[0] in sys.stdlib_module_names:
            _try_import(name)


def _try_import(name):
    try:
        __import__(name)
    except BaseException:
        pass  # if a script needs it, it will see why


def prepare(scratch):
    """Gives this worker a scratch directory and random state of its own, and rehearses. The hash seed is the zygote's."""
    scratch = os.fsdecode(scratch)
    if scratch != sys.path[0]:
        sys.path[0] = os.environ["HOME"] = os.environ["TMPDIR"] = scratch
        _change_by_descriptor()
    _rehearse(*_rehearsal)
    mtrand = sys.modules.get("numpy.random.mtrand")
    if mtrand is not None:
        mtrand.seed()
    return b""


def _change_by_descriptor():
    """Where files cannot be changed by their name, because the script's user may own others than the script's: shutil and
    others shall do it by a descriptor."""

    def chmod(path, mode, *, dir_fd=None, follow_symlinks=True):
        with _opened(path, dir_fd, follow_symlinks) as descriptor:
            os.fchmod(descriptor, mode)

    def utime(path, times=None, *, ns=None, dir_fd=None, follow_symlinks=True):
        chosen = {} if ns is None else {"ns": ns}
        with _opened(path, dir_fd, follow_symlinks) as descriptor:
            _utime(descriptor, times, **chosen) if times is not None else _utime(descriptor, **chosen)

    for call in (chmod, utime):
        for names in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            names.add(call)
    os.chmod, os.utime = chmod, utime


@contextlib.contextmanager
def _opened(path, dir_fd, follow_symlinks):
    if isinstance(path, int):
        yield path
        return
    link = 0 if follow_symlinks else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | link, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def get_ready(imports, script):
    """Before a worker is sealed: imports what the script names and makes an event loop, since neither can be done later.

    Nothing is imported from the scratch directory, so no code of the script's runs.
    """
    global _sealed
    _sealed = True
    # No descriptor can be made, and no filter refuses a name.
    os.chmod, os.utime = _chmod, _utime
    scratch = sys.path.pop(0)
    for name in imports.decode().split():
        _try_import(name)
    if b"async" in script:
        _make_event_loops()
    sys.path.insert(0, scratch)
    return b""


def _make_event_loops():
    import asyncio

    class Policy(asyncio.DefaultEventLoopPolicy):
        """Hands out loops that were made before: a new one takes descriptors."""

        def new_event_loop(self):
            return loops.pop() if loops else super().new_event_loop()

    loops = [asyncio.new_event_loop() for _ in range(EVENT_LOOPS)]
    asyncio.set_event_loop_policy(Policy())


def run(script, inputs, max_result_bytes, *files):
    """Runs a script and answers how it ended."""
    try:
        for name, content in zip(files[::2], files[1::2]):
            _write_file(os.fsdecode(name), content)
        return _run(script.decode(), inputs, max_result_bytes)
    except BaseException as error:
        try:
            return _raised(error)
        except BaseException:
            # A class that breaks even when it is only looked at.
            return RAISED + b'{"type":"BaseException","message":"the exception could not be described"}'


def _write_file(name, content):
    directory = os.path.dirname(name)
    if directory:
        os.makedirs(directory, exist_ok=True)
    with open(name, "wb") as file:
        file.write(content)


def _run(source, inputs, max_result_bytes):
    # Source in a JSON string is Unicode: a byte order mark means nothing, and compiling text ignores a coding line.
    source = source.removeprefix("\ufeff")
    arguments = _loads(inputs.decode()) if inputs else {}
    module = types.ModuleType("script")
    module.__file__ = FILE
    sys.modules["script"] = module
    linecache.cache[FILE] = (len(source), None, source.splitlines(True), FILE)
    try:
        code = compile(source, FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _refused(error, source)
    exec(code, module.__dict__)
    try:
        main = module.__dict__["main"]
    except KeyError:
        return NO_MAIN
    if not callable(main):
        return NOT_CALLABLE
    value = main(**arguments)
    if type(value) is types.CoroutineType:
        import asyncio

        # Never closed: that would wait for tasks and threads which the script has left running.
        value = asyncio.Runner().run(value)
    try:
        return _encode(value, max_result_bytes)
    finally:
        _flush()


def _encode(value, max_result_bytes):
    try:
        text = "".join(_encoder(value, 0))
    except (TypeError, ValueError, RecursionError) as error:
        return NOT_SERIALIZABLE + _text(_reason(error)[:MAX_MESSAGE])
    try:
        payload = text.encode()
    except UnicodeEncodeError as error:
        lone = f"U+{ord(text[error.start]):04X}"
        return NOT_SERIALIZABLE + f"a string has a lone surrogate ({lone}), which is not valid Unicode".encode()
    return RETURNED + payload if len(payload) <= max_result_bytes else TOO_LARGE


def _default(value):
    """Called for what JSON has no form for: numpy's numbers and booleans become the ones that they hold."""
    kind = type(value)
    if kind.__module__ == "numpy" and hasattr(kind, "item") and hasattr(kind, "dtype") and not hasattr(kind, "__len__"):
        item = value.item()
        if type(item) in (bool, int, float, str):
            return item
        if kind.__name__ in ("longdouble", "float128"):
            return float(value)
    hint = HINTS.get(kind.__name__)
    raise TypeError(f"Object of type {kind.__name__} is not JSON serializable" + (f"; {hint}" if hint else ""))


def _reason(error):
    if type(error) is RecursionError:
        return "it is nested too deeply"
    if type(error) is ValueError and "Out of range float" in str(error):
        return f"{error} (NaN and infinities have no JSON form)"
    return str(error)


def _refused(error, source):
    line = error.lineno
    if line is None and "\0" in source:
        line = source[: source.index("\0")].count("\n") + 1
    where = f"{FILE}, line {line}" if line else FILE
    # Also for its subclasses: the message says what is wrong with an indentation.
    return _description("SyntaxError", f"{error.msg} ({where})")


def _raised(error):
    _flush()
    kind = type(error)
    if issubclass(kind, MemoryError):
        name = "MemoryError"
    elif kind.__module__ in ("builtins", "__main__", "script"):
        name = kind.__qualname__
    else:
        name = f"{kind.__module__}.{kind.__qualname__}"
    try:
        # Joined to an exact string: a subclass could lie about its length.
        message = "".join((_str(error), _suggestion(error), _refusal(error)))
    except BaseException:
        message = "<exception str() failed>"
    if name == "MemoryError" and not message:
        message = "the script ran out of memory"
    return _description(name, message)


def _suggestion(error):
    """What Python adds to a misspelt name when it prints a traceback."""
    if not issubclass(type(error), (AttributeError, ImportError, NameError)):
        return ""
    printed = traceback.TracebackException(type(error), error, error.__traceback__, limit=1)
    text, plain = next(printed.format_exception_only()).rstrip("\n"), _str(error)
    _, found, suggestion = text.rpartition(plain)
    return suggestion if plain and found and suggestion.startswith(". Did you") else ""


def _refusal(error):
    """Says why, if an exception comes of the seal, in whatever other one a library has packed it."""
    if not _sealed:
        return ""
    for _ in range(10):
        what = _refused_to(error)
        if what:
            return f" ({what} are not available under this host's sandbox)"
        error = error.__cause__ or error.__context__
        if error is None:
            return ""
    return ""


def _refused_to(error):
    kind = type(error)
    if issubclass(kind, BlockingIOError):
        return PROCESSES
    if issubclass(kind, RuntimeError) and "start new thread" in _str(error):
        return THREADS
    harmless = (TimeoutError, ConnectionError, ChildProcessError, ProcessLookupError)
    if issubclass(kind, OSError) and not issubclass(kind, harmless):
        return DESCRIPTORS if error.filename is None else FILES
    return FILES if kind.__module__ == "sqlite3" else ""


def _description(name, message):
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]}... ({len(message) - MAX_MESSAGE} more characters)"
    return RAISED + _text("".join(_plain_encoder({"type": name[:MAX_NAME], "message": message}, 0)))


def _text(text):
    return text.encode("utf-8", "replace")


def _flush():
    # The script may have put streams of its own there, or none.
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except BaseException:
            pass


_chmod, _utime = os.chmod, os.utime
_sealed = False
_zones = []
_rehearsal = []
_str = str
_loads = json.JSONDecoder().decode
# The C encoder itself, with C types only: nothing that a script can patch lies between a value and its text.
_encoder = _json.make_encoder({}, _default, _json.encode_basestring, None, ":", ",", False, False, False)
_plain_encoder = _json.make_encoder(None, None, _json.encode_basestring, None, ":", ",", False, False, False)

"""The Python side of a worker: runs one script.

It is executed once, in the zygote, as a module that no import finds. A worker calls `prepare` when it is locked in, which has
it rehearse, and `execute`, `run` or `look` when its job has come. All live in the process that the script controls, so nothing
that they say is trusted; what counts is that an honest script gets an honest answer whatever it has patched.
"""

import builtins

__builtins__ = dict(vars(builtins))

import _io
import gc
import importlib
import json
import linecache
import os
import random  # reseeds itself after a fork
import stat
import sys
import threading
import types

import _harness_check as check
import _harness_databases as databases
import _harness_errors as errors
import _harness_figures as figures
import _harness_fonts as fonts
import _harness_image as image
import _harness_loops as loops
import _harness_metadata as metadata
import _harness_modules as modules
import _harness_names as names_of_files
import _harness_processes as processes
import _harness_rehearsal as rehearsal
import _harness_result as result
import _harness_scratch as scratch_files
import _harness_scratch_handles as scratch_handles
import _harness_system as system
import _harness_values as values
import _harness_zones as zones

FILE = result.FILE

# Where the runtime says what is in it.
MANIFEST = "usr/share/py-executor/manifest.json"

# Where it has the files of time zones.
ZONES = "usr/share/zoneinfo"

# Bytes of a thread's stack. All count as memory that a process may write to, so with the 8 MiB that are usual a script could not have
# as many threads as its limit on them allows; a half is enough for whatever recursion Python bounds.
THREAD_STACK = 4 << 20

# How many event loops a sealed script can have at the same time.
EVENT_LOOPS = 8


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
    # A script finds none of the harness by an import.
    for name in [name for name in sys.modules if name.startswith("_harness")]:
        del sys.modules[name]
    # Elsewhere the runtime is the root, with a scratch directory of the name that scripts know.
    if sealed:
        _images[:] = [image.Image(os.fsdecode(runtime))]
        scratch_files.install(*_images)
        databases.install()
        _images[0].map_libraries(modules.LIBRARIES)
    elif runtime != b"/":
        names_of_files.install(os.fsdecode(runtime))
        metadata.install()
    if runtime != b"/":
        system.install(os.fsdecode(runtime))
    processes.install(runtime == b"/")
    threading.stack_size(THREAD_STACK)
    names = _names(to_preload)
    for name in names:
        if importlib._bootstrap._find_spec(name.partition(".")[0], None) is None:
            return f"error: No module named {name!r}".encode()
    sys.stdout = sys.__stdout__ = _stream(1, "surrogateescape")
    sys.stderr = sys.__stderr__ = _stream(2, "backslashreplace")
    sys.argv[:] = [FILE]
    sys.path.insert(0, "/tmp")
    sys.executable = os.path.join(os.fsdecode(runtime), "usr/bin/python3.13")
    errors.find_modules()
    fonts.bring_list(os.fsdecode(runtime))
    _find_packages(os.fsdecode(runtime))
    if sealed:
        zones.install(os.path.join(os.fsdecode(runtime), ZONES))
        _load_locales()
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
    for name in modules.COMMON:
        _try_import(name)
    if sealed:
        _import_late_ones(names)
        _images[0].map_libraries(modules.PACKAGES)
    if threading.active_count() != 1 or len(os.listdir("/proc/self/task")) != 1:
        return b"error: a preloaded module has started a thread, which no fork would have"
    return _get_ready_for_forks("numpy" in names and "pandas" in names)


def _names(text):
    return [*filter(None, text.decode().split(","))]


def _get_ready_for_forks(has_pandas):
    _rehearsal[:] = [rehearsal.of_worker(has_pandas)]
    for _ in range(rehearsal.ROUNDS):
        _rehearse(rehearsal.of_zygote(has_pandas))
        _rehearse(*_rehearsal)
    # Objects of before the fork are not visited by the collector, so their pages stay shared.
    gc.freeze()
    gc.enable()
    loaded = {name.partition(".")[0] for name in (*sys.modules, *sys.builtin_module_names)}
    ready = {"python": sys.version.split()[0], "loaded": sorted(loaded), "packages": _packages}
    return json.dumps(ready).encode()


def _find_packages(runtime):
    """What is installed, as the runtime's own list says, or else Python's."""
    try:
        with open(os.path.join(runtime, MANIFEST)) as manifest:
            found = [(wheel["name"], wheel["version"]) for wheel in json.load(manifest)["wheels"]]
    except (OSError, KeyError, ValueError):
        import importlib.metadata

        found = [(one.name, one.version) for one in importlib.metadata.distributions()]
    _packages[:] = ({"name": name, "version": version} for name, version in sorted(set(found)))


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
        said = execute(script.encode(), b'{"number": 3}', 1 << 20)
    finally:
        sys.stdout = stdout
        os.close(null)
    if not said.startswith(result.RETURNED):
        raise RuntimeError(f"the rehearsal failed: {said.decode()}")
    # A module and its functions refer to each other: only the collector would find them.
    sys.modules.pop("script").__dict__.clear()
    linecache.cache.clear()


def _import_late_ones(preloaded):
    for name in modules.LATE:
        if name.partition(".")[0] in preloaded or name.partition(".")[0] in sys.stdlib_module_names:
            _try_import(name)


def _load_locales():
    """Has the C library read what it knows of languages: it keeps that, for `setlocale` to find it."""
    import locale

    for name in ("C.UTF-8", "C"):
        locale.setlocale(locale.LC_ALL, name)
    locale.setlocale(locale.LC_CTYPE, "")


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
        names_of_files.activate(scratch)
    errors.scratch = scratch
    _rehearse(*_rehearsal)
    mtrand = sys.modules.get("numpy.random.mtrand")
    if mtrand is not None:
        mtrand.seed()
    return b""


def get_ready(imports, script, max_bytes, max_files):
    """Before a worker is sealed: imports what the script names, makes what event loops need, and keeps files in memory from
    now on. What is imported later comes of the image, which takes longer.

    Nothing is imported from the scratch directory, so no code of the script's runs.
    """
    result.is_sealed = True
    scratch = sys.path.pop(0)
    for name in imports.decode().split():
        _try_import(name)
    _get_libraries_ready()
    if _images[0].has_any(modules.PACKAGES, sys.modules):
        _images[0].map_libraries(modules.PACKAGES)
    if b"async" in script:
        loops.keep(EVENT_LOOPS)
    sys.path.insert(0, scratch)
    scratch_files.activate(scratch, max_bytes, max_files)
    return b""


def _get_libraries_ready():
    """What libraries would do by threads, or import later."""
    if "pandas" in sys.modules:
        sys.modules["pandas"].set_option("mode.max_threads", 1)
    for packages, late in modules.WITH_PACKAGES:
        if packages <= sys.modules.keys():
            for name in late:
                _try_import(name)


def get_ready_to_look(imports):
    """The same for a script that is only looked at."""
    check.find(imports.decode().split())
    return b""


def execute(script, inputs, max_result_bytes, *files):
    """Runs a script and answers how it ended."""
    return _in_full(result.raised, _run, script, inputs, files, max_result_bytes, result.json_text, result.refused)


def run(script, inputs, max_result_bytes, nan_as_null, *files):
    """The same, and tells more."""

    def text_of(value):
        return values.text_of(value, nan_as_null)

    figures.watch()
    return _in_full(errors.raised, _run, script, inputs, files, max_result_bytes, text_of, errors.refused, True)


def flush_files():
    """A script may leave files open: when a program ends by itself, Python writes what they still hold."""
    try:
        databases.save()
        for kinds in ((_io.TextIOWrapper,), (_io.BufferedWriter, _io.BufferedRandom)):
            for found in _objects():
                if type(found) in kinds:
                    _flush(found)
    except BaseException:
        pass  # there may be no memory for it, and signal handlers are the script's
    return b""


def _flush(file):
    try:
        raw = (file.buffer if type(file) is _io.TextIOWrapper else file).raw
        # Not into a pipe that nobody reads.
        if type(raw) is _InMemory or type(raw) is _io.FileIO and _is_regular(_fstat(raw.fileno()).st_mode):
            file.flush()
    except Exception:
        pass  # it is closed, or there is no room: nothing more can be done about it


def look(script, *names):
    """Only looks at a script. `names`: of the files that would come with it."""
    return _in_full(result.raised, check.look, _source(script), [os.fsdecode(name) for name in names])


def _in_full(describe, function, *arguments):
    """An answer in any case."""
    try:
        return function(*arguments)
    except BaseException as error:
        try:
            result.flush()
            return describe(error)
        except BaseException:
            # A class that breaks even when it is only looked at.
            return result.RAISED + b'{"type":"BaseException","message":"the exception could not be described"}'


def _run(script, inputs, files, max_result_bytes, text_of, refused, with_files=False):
    for name, content in zip(files[::2], files[1::2]):
        _write_file(os.fsdecode(name), content)
    source = _source(script)
    arguments = _loads(inputs.decode()) if inputs else {}
    module = types.ModuleType("script")
    module.__file__ = FILE
    # What this module has is a copy.
    module.__builtins__ = builtins.__dict__
    sys.modules["script"] = module
    linecache.cache[FILE] = (len(source), None, source.splitlines(True), FILE)
    try:
        code = compile(source, FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        return refused(error, source)
    exec(code, module.__dict__)
    try:
        main = module.__dict__["main"]
    except KeyError:
        return result.NO_MAIN
    if not callable(main):
        return result.NOT_CALLABLE
    value = main(**arguments)
    if type(value) is types.CoroutineType:
        import asyncio

        # Never closed: that would wait for tasks and threads which the script has left running.
        value = asyncio.Runner().run(value)
    try:
        answered = result.returned(value, max_result_bytes, text_of)
        if with_files:
            _save_figures()
        return answered
    finally:
        result.flush()


def _save_figures():
    try:
        figures.save_open_ones(os.path.exists, os.remove)
    except Exception:
        pass  # the script has changed what is needed for it; its result is there


def _source(script):
    # Source in a JSON string is Unicode: a byte order mark means nothing, and compiling text ignores a coding line.
    return script.decode().removeprefix("\ufeff")


def _write_file(name, content):
    if scratch_files.is_active():
        scratch_files.write(name, content)
        return
    directory = os.path.dirname(name)
    if directory:
        os.makedirs(directory, exist_ok=True)
    with open(name, "wb") as file:
        file.write(content)


def list_files():
    """The files in the memory of a sealed worker: of each the size, the length of the name, and the name."""
    listed = []
    for name, size, content in scratch_files.files():
        name = _encoded(name)
        _left[name] = content
        listed += [size.to_bytes(8, "little"), len(name).to_bytes(4, "little"), name]
    return b"".join(listed)


def read_file(name):
    """The content of one of them."""
    return bytes(_left[name])


def _encoded(name):
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name.encode("utf-8", "replace")  # it has a surrogate that stands for no byte


_fstat, _is_regular, _objects = os.fstat, stat.S_ISREG, gc.get_objects
_InMemory = scratch_handles.FileIO
_left = {}
_packages = []
# Of a zygote whose workers will be sealed: the image of the runtime.
_images = []
_rehearsal = []
_loads = json.JSONDecoder().decode

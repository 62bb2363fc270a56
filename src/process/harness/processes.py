"""What multiprocessing needs beside forks: a sandbox has no sockets, for which its servers would wait, and the script is no file,
which a fresh Python could import.

To be loaded after result.py and imports.py; a zygote calls `install`.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import errno
import linecache
import sys

from _harness_result import FILE
from _harness_imports import change

NO_MANAGER = (
    "a manager needs a socket, and the sandbox has none; multiprocessing.Pipe, Queue, Array and shared_memory need none"
)
NO_FORK_SERVER = "a fork server needs a socket, and the sandbox has none; the start method fork needs none"
NO_PROGRAM = (
    "the start method spawn needs to start Python as a program, which this host's sandbox does not allow; fork needs no program"
)

# What a fresh Python executes, with the script's source: it can import the script from then on.
IMPORTER = """
import importlib.machinery, linecache, sys

class Script:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, Script, origin=file) if name == "script" else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        module.__file__ = file
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)

sys.meta_path.insert(0, Script)
"""


class _Importer:
    """Becomes the call that makes the script importable, when a fresh Python reads what it is given."""

    def __init__(self, source):
        self._names = {"source": source, "file": FILE}

    def __reduce__(self):
        return builtins.exec, (IMPORTER, self._names)


def install(can_start_python):
    """`can_start_python`: whether that is known, and need not be tried."""
    change("multiprocessing.managers", _refuse_managers)
    change("multiprocessing.forkserver", _refuse_fork_servers)
    change("multiprocessing.spawn", lambda module: _bring_script(module, can_start_python))


def _refuse_managers(module):
    def start(self, *arguments, **others):
        raise PermissionError(errno.EPERM, NO_MANAGER)

    module.BaseManager.start = module.BaseManager.connect = module.BaseManager.get_server = start


def _refuse_fork_servers(module):
    def ensure_running(self):
        raise PermissionError(errno.EPERM, NO_FORK_SERVER)

    module.ForkServer.ensure_running = ensure_running
    module.ensure_running = module._forkserver.ensure_running


def _bring_script(module, can_start_python):
    prepare, tried = module.get_preparation_data, [can_start_python]

    def get_preparation_data(name):
        # A pool would go on starting what cannot be started.
        tried[0] = tried[0] or _starts_python()
        if not tried[0]:
            raise PermissionError(errno.EPERM, NO_PROGRAM)
        return {**prepare(name), "script": _Importer("".join(linecache.getlines(FILE)))}

    module.get_preparation_data = get_preparation_data


def _starts_python():
    import subprocess

    try:
        return subprocess.run([sys.executable, "-c", ""], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False

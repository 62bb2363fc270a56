"""What is told of an exception besides its message: where in the script it comes from, and what its author may want to know."""

import builtins

__builtins__ = dict(vars(builtins))

import errno
import os
import sys
import traceback

import _harness_result as answer

NOTHING_TO_INSTALL = "nothing can be installed at run time; GET /v1/packages lists what is here"
NETWORK = "the sandbox has no network of any kind"
FILES = "the sandbox lets a script read its runtime and read and write its working directory, nothing else"
MISSING_FILE = (
    "a script sees no files of the host; what it is to read can be sent along in the field `files`, and lies in the "
    "working directory then"
)
PROGRAMS = "there is no shell and no other program than Python in the sandbox"
PROCESSES = "the sandbox bounds the number of processes and threads"
SCRATCH = "the working directory has a limit on its size and on the number of files"
SEALED = (
    "under this host's sandbox a script has the files of its working directory, which are kept in memory, and no other "
    "files but those of the runtime, no sockets, threads or processes"
)
TERMINALS = "the sandbox has no terminals; subprocess works with pipes"
GROUPS = (
    "the sandbox does not allow this; where the host has no user namespaces, all processes of a script stay in one group, without "
    "start_new_session and process_group"
)
LOCKS = (
    "this host's sandbox has no /dev/shm, which locks, queues and pools of multiprocessing need; threads, Process and Pipe need none"
)
DESCRIPTORS = "the sandbox bounds the number of open files"
MEMORY = "the sandbox bounds the memory of a script and all its processes together"
STDIN = "standard input is what the request has in its field `stdin`"
INPUTS = "the request's field `inputs` holds the arguments of main, by their names"
NOTEBOOK = f"the script is plain Python, without a notebook's commands; {NOTHING_TO_INSTALL}"

# At most this many links of a chain of exceptions are looked at.
MAX_LINKS = 10


def raised(error):
    return answer.raised(error, line=_line(error), traceback=_printed(error), hint=_try(_hint, error))


def refused(error, source):
    line, hint = answer.line_of(error, source), _try(_syntax, error, source)
    return answer.description(type(error).__name__, error.msg, line=line, traceback=_printed(error), hint=hint)


def _line(error):
    """Where the script was when it happened."""
    found, entry = None, error.__traceback__
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == answer.FILE:
            found = entry.tb_lineno
        entry = entry.tb_next
    if found is None and isinstance(error, SyntaxError) and error.filename == answer.FILE:
        return error.lineno
    return found


def _printed(error):
    """The traceback as Python prints it, with the frames of the script and of the files that it brought."""
    try:
        told = traceback.TracebackException(type(error), error, error.__traceback__, lookup_lines=False)
        _prune(told, 0)
        return answer.cut("".join(told.format()))
    except BaseException:
        return None


def _prune(told, depth):
    if told is None or depth > MAX_LINKS:
        return
    told.stack[:] = [frame for frame in told.stack if _is_own(frame.filename)]
    for linked in (told.__cause__, told.__context__, *(told.exceptions or ())):
        _prune(linked, depth + 1)


def _is_own(filename):
    return filename == answer.FILE or filename.startswith(scratch + "/")


def _try(function, *arguments):
    """A hint is a favour: whatever a script has made of its exceptions, its answer does not depend on it."""
    try:
        return function(*arguments)
    except BaseException:
        return None


def _hint(error):
    for _ in range(MAX_LINKS):
        found = _hint_for(error)
        if found:
            return found
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is None:
            return None
    return None


def _hint_for(error):
    if answer.is_sealed and answer.is_refusal(error):
        return SEALED
    if isinstance(error, ModuleNotFoundError):
        return missing_module(error.name)
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, EOFError) and str(error).startswith("EOF when reading"):
        return STDIN
    if isinstance(error, TypeError) and str(error).startswith("main() "):
        return INPUTS
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return PROCESSES
    return _hint_for_refusal(error) if isinstance(error, OSError) else None


def _hint_for_refusal(error):
    origin = _origin(error)
    refused = error.errno in (errno.EPERM, errno.EACCES, errno.EROFS)
    if type(error).__name__ == "gaierror" or (origin in ("socket", "selectors", "ssl") and refused):
        return NETWORK
    if refused and origin in ("multiprocessing.synchronize", "multiprocessing.heap", "multiprocessing.shared_memory"):
        return LOCKS
    if "pty devices" in str(error) or error.errno == errno.ENOENT and error.filename is None:
        return TERMINALS
    if origin == "subprocess" and refused and error.filename is None:
        return GROUPS
    if origin == "subprocess" and error.filename is not None:
        return PROGRAMS
    if error.errno == errno.EAGAIN:
        return PROCESSES if origin.partition(".")[0] in ("subprocess", "multiprocessing", "concurrent") else None
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return SCRATCH
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return DESCRIPTORS
    if error.filename is None:
        return "the sandbox does not allow this" if refused else None
    if refused:
        return FILES
    return MISSING_FILE if error.errno == errno.ENOENT else None


def _origin(error):
    """The module that raised it."""
    entry = error.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    return entry.tb_frame.f_globals.get("__name__", "") if entry is not None else ""


def missing_module(name):
    top, _, rest = (name or "").partition(".")
    if rest and top in known_modules:
        return f"{top} is here, but has no module {rest[:100]}"
    similar, top = nearest(top), top[:100]
    similar = f"similar modules that are here: {', '.join(similar)}; " if similar else ""
    return f"there is no module {top!r} here; {similar}{NOTHING_TO_INSTALL}"


def nearest(name):
    """Modules with a similar name."""
    import difflib

    plain = name.lower().replace("-", "_")
    return difflib.get_close_matches(plain, sorted(known_modules), 3, 0.75)


def _syntax(error, source):
    lines = source.splitlines()
    line = lines[error.lineno - 1].strip() if error.lineno and error.lineno <= len(lines) else ""
    return NOTEBOOK if line.startswith(("!", "%", "pip ")) else None


def find_modules():
    """The names of all modules that can be imported, so that similar ones can be told of."""
    known_modules.update(name for name in sys.stdlib_module_names if not name.startswith("_"))
    for directory in sys.path[1:]:
        try:
            entries = os.listdir(directory)
        except OSError:
            continue
        known_modules.update(_module(entry) for entry in entries)
    known_modules.discard("")


def _module(entry):
    name, _, suffix = entry.partition(".")
    is_module = suffix in ("", "py") or suffix.endswith("so")
    return name if is_module and name.isidentifier() and not name.startswith("_") else ""


known_modules = set()
# The directory of what belongs to the script.
scratch = "/tmp"

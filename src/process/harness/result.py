"""How a script ended, in the form that goes to the service: a kind and a payload, which protocol/outcome.rs reads.

What is needed after the script ran is captured here, before: an honest script gets an honest answer whatever it has patched.
"""

import builtins

# A copy: functions look names up in the dictionary that stands here when they are made, so that a script which patches
# `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import _json
import io
import sys
import traceback

# What an answer begins with.
RETURNED, RAISED, NOT_SERIALIZABLE, NO_MAIN, NOT_CALLABLE, TOO_LARGE, CHECKED = b"R", b"E", b"J", b"M", b"C", b"L", b"K"

# An exception's message is cut at this many characters.
MAX_MESSAGE = 32 * 1024
MAX_NAME = 1024

FILE = "script.py"

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


def returned(value, max_bytes, text_of):
    """What `main` returned, as JSON."""
    try:
        text = text_of(value)
    except (TypeError, ValueError, RecursionError) as error:
        return NOT_SERIALIZABLE + _bytes(_reason(error)[:MAX_MESSAGE])
    try:
        payload = text.encode()
    except UnicodeEncodeError as error:
        lone = f"U+{ord(text[error.start]):04X}"
        return NOT_SERIALIZABLE + f"a string has a lone surrogate ({lone}), which is not valid Unicode".encode()
    return RETURNED + payload if len(payload) <= max_bytes else TOO_LARGE


def json_text(value):
    return "".join(_encoder(value, 0))


def scalar(value):
    """The number, boolean or text that a numpy scalar holds; None if it is none."""
    kind = type(value)
    if kind.__module__ == "numpy" and hasattr(kind, "item") and hasattr(kind, "dtype") and not hasattr(kind, "__len__"):
        item = value.item()
        if type(item) in (bool, int, float, str):
            return item
        if kind.__name__ in ("longdouble", "float128"):
            return float(value)
    return None


def not_serializable(value):
    name = type(value).__name__
    hint = HINTS.get(name)
    return TypeError(f"Object of type {name} is not JSON serializable" + (f"; {hint}" if hint else ""))


def _default(value):
    """Called for what JSON has no form for: numpy's numbers and booleans become the ones that they hold."""
    item = scalar(value)
    if item is None:
        raise not_serializable(value)
    return item


def _reason(error):
    if type(error) is RecursionError:
        return "it is nested too deeply"
    if is_out_of_range(error):
        return f"{error} (NaN and infinities have no JSON form)"
    return str(error)


def is_out_of_range(error):
    return type(error) is ValueError and "Out of range float" in str(error)


def refused(error, source, **more):
    """The script does not compile."""
    line = line_of(error, source)
    where = f"{FILE}, line {line}" if line else FILE
    # Also for its subclasses: the message says what is wrong with an indentation.
    return description("SyntaxError", f"{error.msg} ({where})", **more)


def line_of(error, source):
    if error.lineno is None and "\0" in source:
        return source[: source.index("\0")].count("\n") + 1
    return error.lineno


def raised(error, **more):
    """An exception came out of the script."""
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
    return description(name, message, **more)


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
    if not is_sealed:
        return ""
    for _ in range(10):
        what = _refused_to(error)
        if what:
            return f" ({what} are not available under this host's sandbox)"
        error = error.__cause__ or error.__context__
        if error is None:
            return ""
    return ""


def is_refusal(error):
    """Whether an exception comes of the seal."""
    return bool(_refused_to(error)) or type(error) is _UnsupportedOperation


def _refused_to(error):
    kind = type(error)
    if issubclass(kind, BlockingIOError):
        return PROCESSES
    if issubclass(kind, RuntimeError) and "start new thread" in _str(error):
        return THREADS
    if issubclass(kind, OSError) and error.errno in _REFUSALS:
        return DESCRIPTORS if error.filename is None else FILES
    # Of a library that is no module's, and so is not mapped ahead.
    if issubclass(kind, ImportError) and "Too many open files" in _str(error):
        return FILES
    return FILES if kind.__module__ == "sqlite3" else ""


def description(name, message, **more):
    fields = {"type": name[:MAX_NAME], "message": cut(message)}
    fields.update((key, value) for key, value in more.items() if value is not None)
    return RAISED + _bytes("".join(_plain_encoder(fields, 0)))


def cut(text):
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}... ({len(text) - MAX_MESSAGE} more characters)"


def encode_check(fields):
    """What looking at a script has shown."""
    return CHECKED + _bytes("".join(_plain_encoder(fields, 0)))


def _bytes(text):
    return text.encode("utf-8", "replace")


def flush():
    # The script may have put streams of its own there, or none.
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except BaseException:
            pass


is_sealed = False
_str, _UnsupportedOperation = str, io.UnsupportedOperation
# What the kernel says of a sealed process's attempts: ENFILE, EMFILE, EFBIG, ENOSYS.
_REFUSALS = (23, 24, 27, 38)
# The C encoder itself, with C types only: nothing that a script can patch lies between a value and its text.
_encoder = _json.make_encoder({}, _default, _json.encode_basestring, None, ":", ",", False, False, False)
_plain_encoder = _json.make_encoder(None, None, _json.encode_basestring, None, ":", ",", False, False, False)

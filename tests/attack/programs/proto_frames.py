"""Climbs into the frames and objects of its caller, spoils what it finds there, and forges an answer."""
import gc
import os
import sys


def main(way):
    frame, callers = sys._getframe(1), []
    while frame:
        callers.append(frame)
        frame = frame.f_back
    if way == "spoil":
        for caller in callers:
            for name in list(caller.f_globals):
                if not name.startswith("__"):
                    caller.f_globals[name] = lambda *a, **k: '"forged"'
    elif way == "call":
        for caller in callers:
            for value in [*caller.f_globals.values(), *caller.f_locals.values()]:
                if not callable(value) or value is main or isinstance(value, type):
                    continue
                for arguments in ((b'R', b'"forged"'), ('"forged"',), (b'"forged"',), (ord("R"), b'"forged"'), ("forged",)):
                    try:
                        value(*arguments)
                    except BaseException:
                        pass
    elif way == "closures":
        for function in [item for item in gc.get_objects() if hasattr(item, "__closure__") and item.__closure__]:
            for cell in function.__closure__:
                try:
                    if isinstance(cell.cell_contents, (str, bytes, list)):
                        cell.cell_contents = '"forged"'
                except (ValueError, AttributeError):
                    pass
    elif way == "exit":
        os._exit = sys.exit = os.write = lambda *a: None
    return "real"

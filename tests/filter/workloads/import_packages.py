"""Imports every module of every package that is installed."""
import importlib
import os
import pkgutil
import sys
import warnings

import numpy

# What some modules need and the runtime does not have: toolkits for a display, tests, documentation, other systems, and
# optional dependencies.
MISSING = {
    *("tkinter", "gi", "wx", "cairo", "ipykernel", "tornado"),
    *("pytest", "hypothesis", "docutils", "PyInstaller", "code_generators"),
    *("winreg", "Quartz"),
    *("olefile", "railroad", "bokeh", "sympy", "freetype", "reportlab", "pathops", "numba", "jinja2", "pyarrow"),
}

# The same, from modules that say it in their own words.
EXCEPT = {
    "PIL._typing": "for type checkers only",
    "matplotlib.backends": "toolkits for a display, but for those that write files",
    "pandas.io.formats.style": "needs jinja2",
    "pandas.io.formats.style_render": "needs jinja2",
}
FILES = {f"matplotlib.backends.backend_{kind}" for kind in ("agg", "pdf", "ps", "svg", "pgf", "mixed", "template")}
LEAST = 1000


def is_excepted(name, error):
    if isinstance(error, ModuleNotFoundError) and error.name.partition(".")[0] in MISSING:
        return True
    return name not in FILES and any(name == left_out or name.startswith(left_out + ".") for left_out in EXCEPT)


def main():
    warnings.simplefilter("ignore")
    directory = os.path.dirname(os.path.dirname(numpy.__file__))
    names, failed, done = [found.name for found in pkgutil.iter_modules([directory])], {}, 0
    assert {"numpy", "pandas", "matplotlib", "PIL"} <= set(names), names
    for name in names:
        try:
            module = importlib.import_module(name)
        except BaseException as error:
            if not is_excepted(name, error):
                failed[name] = repr(error)
            continue
        done += 1
        for found in pkgutil.iter_modules(getattr(module, "__path__", ()), name + "."):
            if not found.name.endswith(".__main__"):
                names.append(found.name)
    assert not failed, failed
    assert done >= LEAST, done
    print(done)


if __name__ == "__main__":
    main()

"""Imports modules that came with the request or that the script has written."""
import importlib
import importlib.util
import inspect
import os
import pickle
import pkgutil
import runpy
import sys
import traceback
from importlib import resources

import helper
import package.deep
import spaced.part
from package import sub


def uploaded():
    said = [helper.VALUE, helper.__file__, helper.__name__, helper.__package__, helper.__spec__.origin, sub.NAME, package.deep.DEPTH]
    said += [package.__file__, list(package.__path__), spaced.part.Y, list(spaced.__path__), helper.own_directory()]
    said += [helper.mean([1, 2, 6]), inspect.getsource(helper.divide), inspect.getsourcefile(helper)]
    return said, type(pickle.loads(pickle.dumps(helper.Point(1))))


def data():
    """Files beside a module."""
    said = [resources.files("package").joinpath("data.txt").read_text(), resources.files("package").joinpath("deep").is_dir()]
    said += [pkgutil.get_data("package", "data.txt"), sorted(one.name for one in resources.files("package").iterdir() if one.name[0] != "_")]
    return *said, resources.read_text("package", "data.txt"), helper.neighbour()


def tracebacks():
    try:
        helper.divide(1)
    except ZeroDivisionError as error:
        return [[one.filename, one.lineno, one.name, one.line] for one in traceback.extract_tb(error.__traceback__)[1:]]


def written():
    """A module that is made while the script runs."""
    sys.path.insert(0, os.getcwd())
    write("late.py", "z = 1\n")
    write("made/__init__.py", "from .inner import value\n")
    write("made/inner.py", "value = 'inner'\n")
    importlib.invalidate_caches()
    said = [importlib.import_module("late").z, importlib.import_module("made").value]
    write("late.py", "z = 'reloaded'\n")
    said += [importlib.reload(sys.modules["late"]).z, importlib.util.find_spec("made.inner").origin, importlib.util.find_spec("nothing")]
    for name, text in (("unfinished", "def\n"), ("raising", "1 / 0\n"), ("importing", "import late, nothing_of_that_name\n")):
        write(f"{name}.py", text)
        said.append(attempt(importlib.import_module, name))
    return said, attempt(importlib.import_module, "made.missing"), attempt(importlib.import_module, "late.missing"), sys.path.pop(0)


def by_path():
    write("place/one.py", "import os\nNAME = __name__\nwhere = os.path.basename(__file__)\n")
    spec = importlib.util.spec_from_file_location("named", os.path.abspath("place/one.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ran = runpy.run_path("place/one.py", run_name="ran")
    variables = {}
    exec(compile(read("place/one.py"), "place/one.py", "exec"), variables | {"__file__": "x"}, variables)
    missing = importlib.util.module_from_spec(importlib.util.spec_from_file_location("missing", os.path.abspath("place/missing.py")))
    return [module.NAME, module.where, ran["NAME"], ran["where"], attempt(missing.__spec__.loader.exec_module, missing)]


def found():
    """Packages are searched for modules."""
    names = sorted(one.name for one in pkgutil.iter_modules(package.__path__))
    return names, sorted(one.name for one in pkgutil.walk_packages(package.__path__, "package."))


def main():
    return observe(uploaded, data, tracebacks, written, by_path, found)

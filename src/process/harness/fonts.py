"""The runtime brings matplotlib's list of fonts. Without it every script that draws would read all fonts, those of a host
too where there are any, by a thread and a program that a sealed worker cannot have."""

import builtins

__builtins__ = dict(vars(builtins))

import os
import sys
from importlib.machinery import PathFinder

MODULE = "matplotlib.font_manager"

# Where the runtime has the list, under the name by which matplotlib looks for it in its cache.
DIRECTORY = "usr/share/py-executor/matplotlib"


class _Finder:
    """Has matplotlib find the list."""

    def __init__(self, directory):
        self.directory = directory

    def find_spec(self, name, path=None, target=None):
        if name != MODULE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        package = sys.modules.get("matplotlib")
        # A script may bring a package of this name.
        if spec is None or spec.loader is None or not hasattr(package, "get_cachedir"):
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            of_scripts = package.get_cachedir
            package.get_cachedir = lambda: self.directory
            try:
                execute(module)
            finally:
                package.get_cachedir = of_scripts

        spec.loader.exec_module = exec_module
        return spec


def bring_list(runtime):
    """To be called before matplotlib is imported."""
    sys.meta_path.insert(0, _Finder(os.path.join(runtime, DIRECTORY)))

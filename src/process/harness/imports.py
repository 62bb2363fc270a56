"""Changes modules when they are imported. A zygote says what, with `change`; scripts import them, or not."""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import sys

_changes = {}


def change(name, function):
    """Has `function` called with the module of that name when it is there."""
    _changes[name] = function
    if name in sys.modules:
        function(sys.modules[name])
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in _changes:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not _Finder else None
            if spec is not None:
                _execute_and_change(spec.loader, _changes[name])
                return spec
        return None


def _execute_and_change(loader, function):
    execute = loader.exec_module

    def exec_module(module):
        execute(module)
        function(module)

    loader.exec_module = exec_module

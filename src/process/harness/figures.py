"""Figures that matplotlib still has open when `main` is over become images in the working directory, unless the script has
saved them itself."""

import builtins

__builtins__ = dict(vars(builtins))

import importlib
import sys

MODULE = "matplotlib.figure"

# Names of the images.
NAME = "figure-{}.png"

# What a figure has that was saved.
MARK = "_was_saved"


class _Finder:
    """Looks at matplotlib's figures when a script imports them."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != MODULE:
            return None
        sys.meta_path.remove(_Finder)
        spec = importlib._bootstrap._find_spec(name, path)
        if spec is not None:
            loader = spec.loader
            execute = loader.exec_module

            def exec_module(module):
                execute(module)
                _look(module)

            loader.exec_module = exec_module
        return spec


def watch():
    """To be called before the script runs."""
    module = sys.modules.get(MODULE)
    if module is None:
        sys.meta_path.insert(0, _Finder)
    else:
        _look(module)


def _look(module):
    save = module.Figure.savefig

    def savefig(self, *arguments, **more):
        result = save(self, *arguments, **more)
        setattr(self, MARK, True)
        return result

    for name in ("__doc__", "__name__", "__qualname__"):
        setattr(savefig, name, getattr(save, name))
    savefig.__wrapped__ = save
    module.Figure.savefig = savefig


def save_open_ones(exists, remove):
    """Saves the figures that are open and have not been saved. `exists` says whether there is a file of a name already."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        name = NAME.format(number)
        if hasattr(figure, MARK) or exists(name):
            continue
        try:
            figure.savefig(name)
        except Exception as error:
            # The result is there: a figure that cannot be drawn does not take it away.
            print(f"{name} could not be drawn: {type(error).__name__}: {error}", file=sys.stderr)
            if exists(name):
                remove(name)

"""A script run in the process that serves: nothing isolates it, and it can change what later ones see."""

import contextlib
import io

import numpy  # noqa: F401  what a warm process has
import pandas  # noqa: F401


def run(script):
    printed, namespace = io.StringIO(), {"__name__": "script"}
    with contextlib.redirect_stdout(printed):
        exec(compile(script, "script", "exec"), namespace)
        result = namespace["main"]()
    return {"result": result, "stdout": printed.getvalue()}

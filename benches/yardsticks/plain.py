"""A script run by a plain process: no sandbox, and a start of Python for each. Its answer is the service's."""

import contextlib
import io
import json
import sys

printed, namespace = io.StringIO(), {"__name__": "script"}
with contextlib.redirect_stdout(printed):
    exec(compile(sys.argv[1], "script", "exec"), namespace)
    result = namespace["main"]()
print(json.dumps({"result": result, "stdout": printed.getvalue()}))

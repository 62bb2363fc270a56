"""Imports every module of the standard library that the runtime has, submodules too."""
import importlib
import importlib.util
import pkgutil
import sys
import warnings

# What the runtime has and this system cannot import, or what acts when it is imported.
EXCEPT = {
    "antigravity": "opens a web browser",
    "this": "prints a poem",
    "turtle": "needs a display",
    "_ios_support": "iOS",
    "dbm.gnu": "its library is not in the runtime",
    "asyncio.windows_events": "Windows",
    "asyncio.windows_utils": "Windows",
    "encodings.mbcs": "Windows",
    "encodings.oem": "Windows",
    "multiprocessing.popen_spawn_win32": "Windows",
    "_pyrepl.windows_console": "Windows",
    "_pyrepl.windows_eventqueue": "Windows",
}
LEAST = 500


def main():
    warnings.simplefilter("ignore")
    names, failed = [], {}
    for name in sorted(sys.stdlib_module_names):
        if name not in EXCEPT and importlib.util.find_spec(name) is not None:
            names.append(name)
    done = 0
    for name in names:
        try:
            module = importlib.import_module(name)
        except BaseException as error:
            failed[name] = repr(error)
            continue
        done += 1
        for found in pkgutil.iter_modules(getattr(module, "__path__", ()), name + "."):
            if found.name not in EXCEPT and not found.name.endswith(".__main__") and found.name not in names:
                names.append(found.name)
    assert not failed, failed
    assert done >= LEAST, done
    print(done)


if __name__ == "__main__":
    main()

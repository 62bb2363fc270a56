"""What goes wrong is said with type, number, message and names."""
import os
import pathlib


def of_paths():
    write("f")
    os.makedirs("d/e")
    said = {}
    calls = (open, lambda path: bool(os.stat(path)), lambda path: bool(os.lstat(path)), os.listdir, lambda path: list(map(str, os.scandir(path))), os.mkdir, os.rmdir, os.remove, os.readlink, os.chdir, os.makedirs, lambda path: bool(os.statvfs(path)),
              os.utime, lambda path: os.open(path, os.O_RDWR), lambda path: os.chmod(path, 0o600) or os.chmod(path, 0o700),
             lambda path: os.truncate(path, 3), lambda path: os.access(path, os.R_OK), lambda path: open(path, "w"), lambda path: open(path, "x"),
             lambda path: os.chown(path, -1, -1), lambda path: os.rename(path, "missing/x"))
    for path in ("missing", "missing/x", "f/x", "f/", "d/x/..", "f/..", "", b"missing", pathlib.Path("missing"), "x" * 256, "x/" * 2500, "a\0b", 1.5):
        for number, call in enumerate(calls):
            said[f"{number} {str(path)[:20]!r}"] = attempt(call, path)
            os.chdir(os.path.join(SCRATCH, "of_paths"))
    return said


def of_arguments():
    write("f")
    return [attempt(*call)[0] for call in (
        (os.stat,), (os.mkdir, "x", "y"), (os.chmod, "f", "x"), (os.chmod, "f"), (os.truncate, "f"), (os.truncate, "f", -1), (os.truncate, "f", "x"),
        (os.listdir, 1.5), (os.open, "f"), (os.open, "f", "x"), (os.link, "f"), (os.symlink, "f"), (os.utime, "f", (1,)), (os.access, "f"),
    )]


class Odd:
    def __init__(self, given):
        self.given = given

    def __fspath__(self):
        return 1 / 0 if self.given is None else self.given


def of_odd_paths():
    write("f")
    calls = (open, os.stat, os.listdir, os.remove)
    return [attempt(call, Odd(given)) for given in ("missing", b"missing", 3, None) for call in calls], attempt(open, Odd("f")), os.fspath(Odd("f"))


def caught():
    """The classes that scripts name."""
    write("f")
    said = []
    for kind, call in (
        (FileNotFoundError, lambda: open("missing")), (FileExistsError, lambda: open("f", "x")), (IsADirectoryError, lambda: open(".")),
        (NotADirectoryError, lambda: os.listdir("f")), (OSError, lambda: os.rmdir("..")), (ValueError, lambda: open("f", "q")),
        (UnicodeDecodeError, lambda: [write("f", b"\xff"), open("f", encoding="utf-8").read()]),
    ):
        try:
            call()
        except kind as error:
            said.append([repr(error)[:60], error.__traceback__ is not None])
    return said


def main():
    return observe(of_paths, of_arguments, of_odd_paths, caught)

"""Opens files in every mode and with every argument of `open`."""
import io
import os
import pathlib

MODES = """
    r w a x r+ w+ a+ x+ rb wb ab xb rb+ wb+ ab+ xb+ r+b w+b rt wt at r+t br b+r
    U rU rw rr r++ wx b t bt z +
""".split()
PLACES = ("there", "new", "directory", "missing/new", "there/below", "new/", "there/", "directory/")


def used(name, mode):
    """What a file object says of itself, and what it can do."""
    text = "line\n" if "b" not in mode else b"line\n"
    with open(name, mode) as file:
        buffer = getattr(file, "buffer", file)
        said = [type(file), file.name, file.mode, file.readable(), file.writable(), file.seekable(), file.isatty()]
        said += [type(buffer), buffer.mode, buffer.raw.mode, buffer.raw.name, buffer.raw.closefd, file.tell()]
        said += [attempt(file.read), attempt(file.write, text), attempt(file.tell), file.seek(0), attempt(file.read)]
    return *said, file.closed


def modes():
    os.mkdir("directory")
    said = {}
    for mode in [*MODES, "", " ", "r "]:
        for place in PLACES:
            write("there", "one\ntwo\n")
            said[f"{mode} {place}"] = [attempt(used, place, mode), tree()]
            if os.path.exists("new"):
                os.remove("new")
    return said


def arguments():
    write("file", "ä\r\nb\r\nc")
    said = []
    for named in (
        {"encoding": "latin-1"}, {"encoding": "ascii"}, {"encoding": "ascii", "errors": "replace"}, {"encoding": "none"},
        {"encoding": "utf-8-sig"}, {"errors": "none"}, {"errors": "surrogateescape"}, {"newline": ""}, {"newline": "\n"},
        {"newline": "\r\n"}, {"newline": "x"}, {"buffering": 0}, {"buffering": 1}, {"buffering": 5}, {"buffering": -7},
        {"mode": "rb", "buffering": 0}, {"mode": "rb", "buffering": 1}, {"mode": "rb", "encoding": "utf-8"},
        {"mode": "rb", "errors": "strict"}, {"mode": "rb", "newline": ""}, {"closefd": False}, {"mode": 3},
        {"encoding": 3}, {"errors": 3}, {"newline": 3}, {"buffering": "1"}, {"opener": 3}, {"unknown": 1},
    ):
        said.append([named, attempt(opened_with, named)])
    return said


def opened_with(named):
    with open("file", **named) as file:
        text = [getattr(file, name, None) for name in ("encoding", "errors", "line_buffering", "newlines")]
        return type(file), text, file.read()


def names():
    write("file")
    wrong = (None, 1.5, [], object, "", b"", "a\0b", b"a\0b", "x" * 256, "x/" * 3000, -1, 99_999_999)
    right = ("file", b"file", pathlib.Path("file"), os.path.abspath("file"), "./file", "../names/file", "//".join(["."] * 3) + "/file")
    said = [[one, attempt(lambda: open(one).name)] for one in right]
    return said + [attempt(open, one) for one in wrong]


def openers():
    write("file", "from elsewhere")

    def private(path, flags):
        return os.open(path, flags, 0o600)

    with open("private", "w", opener=private) as file:
        file.write("x")
    with open("a name", opener=lambda path, flags: os.open("file", flags)) as file:
        said = [file.name, file.read()]
    said += [oct(os.stat("private").st_mode)]
    said += [attempt(open, "file", opener=opener) for opener in (lambda *_: -1, lambda *_: "x", lambda *_: 1 / 0)]
    return said + [attempt(open, "missing", opener=private)]


class Holder:
    """What is built in does not become a method."""

    open, stat = open, os.stat


def functions():
    """They look as Python's do, and are found wherever Python's are."""
    calls = (open, os.open, os.stat, os.listdir, os.rename, os.remove, os.getcwd, os.read)
    said = [[call.__name__, call.__module__, call.__doc__.splitlines()[0], callable(call)] for call in calls]
    write("file")
    held = Holder()
    return said + [io.open is open, held.stat("file").st_size, held.open("file").read()]


def standard_streams():
    """Descriptors that are there already are left alone."""
    with open(1, "w", closefd=False) as file:
        print("by number", file=file)
    return os.write(1, b"by os.write\n"), os.isatty(1), open(0, closefd=False).read(), os.fstat(1).st_size


def nothing():
    """What is written to the null device is gone."""
    with open(os.devnull, "w") as file:
        said = [file.name, file.mode, file.write("x" * 1000), file.tell() >= 0]
        print("gone", file=file)
    with open(os.devnull, "rb") as file:
        said += [file.read(), file.read(5)]
    with open(pathlib.Path(os.devnull), "r+b") as file:
        said += [file.write(b"x"), file.read(1)]
    with open(os.devnull, "ab", buffering=0) as file:
        said += [file.write(bytes(1 << 20))]
    return said


def main():
    return observe(modes, arguments, names, openers, functions, standard_streams, nothing)

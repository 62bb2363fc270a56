"""Makes temporary files and directories."""
import os
import tempfile


def places():
    said = [tempfile.gettempdir(), tempfile.gettempdirb(), os.path.isdir(tempfile.gettempdir()), tempfile.gettempprefix()]
    name = tempfile.mktemp()
    return *said, os.path.exists(name), os.path.dirname(name), os.listdir(".")


def nameless():
    with tempfile.TemporaryFile(dir=".") as file:
        said = [file.write(b"content"), file.seek(0), file.read(), file.mode, type(file), type(file.name), os.listdir(".")]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        said += [file.write("ä\n"), file.seek(0), file.read(), file.mode]
    return said


def named():
    with tempfile.NamedTemporaryFile("w+", prefix="before-", suffix=".txt", dir=".") as file:
        said = [file.write("content"), file.flush(), read(file.name), type(file), type(file.file), os.path.isabs(file.name)]
        name = os.path.basename(file.name)
        said += [name[:7], name[-4:], oct(os.stat(file.name).st_mode), os.listdir(".") == [name]]
    said += [os.path.exists(file.name), os.listdir(".")]
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"kept")
    said += [read(file.name), os.unlink(file.name)]
    with tempfile.NamedTemporaryFile(delete_on_close=False) as file:
        said += [file.write(b"x"), file.close(), read(file.name)]
    said += [os.path.exists(file.name), os.path.dirname(file.name)]
    file = tempfile.NamedTemporaryFile(dir=".")
    name = file.name
    del file
    return *said, os.path.exists(name)


def directories():
    with tempfile.TemporaryDirectory(prefix="d-") as directory:
        write(directory + "/a/b/c")
        os.symlink("/usr", directory + "/link")
        os.chmod(directory + "/a/b", 0o500)
        said = [os.path.dirname(directory), oct(os.stat(directory).st_mode), sorted(os.listdir(directory))]
    said += [os.path.exists(directory), os.path.isdir("/usr")]
    other = tempfile.TemporaryDirectory(dir=".")
    said += [len(os.listdir(".")), other.cleanup(), os.listdir(".")]
    with tempfile.TemporaryDirectory(delete=False) as kept:
        pass
    return *said, os.rmdir(kept)


def made_by_hand():
    number, name = tempfile.mkstemp(".x", "y-", ".")
    said = [os.write(number, b"content"), os.fsync(number), os.close(number), read(name), oct(os.stat(name).st_mode), os.remove(name)]
    number, name = tempfile.mkstemp(text=True)
    with os.fdopen(number, "w") as file:
        file.write("text")
    said += [os.path.dirname(name), read(name), os.remove(name)]
    name = tempfile.mkdtemp(dir=".")
    return *said, os.path.isdir(name), oct(os.stat(name).st_mode), os.rmdir(name), os.listdir(".")


def spooled():
    with tempfile.SpooledTemporaryFile(max_size=10) as file:
        said = [file.write(b"x" * 5), file.write(b"y" * 50), file.seek(0), file.read(), file.truncate(3), file.tell()]
    with tempfile.SpooledTemporaryFile(max_size=3, mode="w+") as file:
        said += [file.write("hello\nyou\n"), file.rollover(), file.seek(0), list(file)]
    return said


def failing():
    """A name is drawn, so only type and number are compared."""
    makers = (tempfile.mkstemp, tempfile.mkdtemp, tempfile.TemporaryFile, tempfile.NamedTemporaryFile, tempfile.TemporaryDirectory)
    return [attempt(make, dir="missing")[:2] for make in makers], attempt(tempfile.NamedTemporaryFile, "q"), os.listdir(".")


def main():
    return observe(places, nameless, named, directories, made_by_hand, spooled, failing)

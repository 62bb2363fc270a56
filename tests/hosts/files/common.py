"""What the programs of this directory share: it stands before each of them."""
import errno
import os

SCRATCH = os.getcwd()


def plain(value):
    """As JSON, and with nothing in it that differs from host to host."""
    if isinstance(value, BaseException):
        return failure(value)
    if isinstance(value, os.PathLike):
        return ["path", plain(os.fspath(value))]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", plain(value.decode("latin-1"))]
    if isinstance(value, str):
        return value.replace(SCRATCH, "<scratch>").encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    return repr(value) if isinstance(value, float) else getattr(value, "__name__", type(value).__name__)


def failure(error):
    """Type, number and message of an exception, and the names of files that it has."""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        number = errno.errorcode.get(error.errno, error.errno)
        return [kind, number, *map(plain, (error.strerror, error.filename, error.filename2, str(error)))]
    return [kind, plain(str(error))]


def attempt(function, *arguments, **others):
    """What a call gives, or how it fails."""
    try:
        return plain(function(*arguments, **others))
    except Exception as error:
        return failure(error)


def write(name, content="content"):
    directory = os.path.dirname(name)
    if directory:
        os.makedirs(directory, exist_ok=True)
    with open(name, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def read(name):
    with open(name, "rb") as file:
        return file.read()


def tree(top="."):
    """All that is there: directories with a slash, links with where they lead, files with their sizes."""
    found = []
    for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
        if entry.is_symlink():
            found.append(f"{entry.path} -> {os.readlink(entry.path)}")
        elif entry.is_dir():
            found += [entry.path + "/", *tree(entry.path)]
        else:
            found.append(f"{entry.path} {entry.stat().st_size}")
    return found


def observe(*topics):
    """What each of these functions says. Each has an empty directory of its own."""
    said = {}
    for topic in topics:
        os.mkdir(os.path.join(SCRATCH, topic.__name__))
        os.chdir(os.path.join(SCRATCH, topic.__name__))
        said[topic.__name__] = plain(topic())
        os.chdir(SCRATCH)
    return said

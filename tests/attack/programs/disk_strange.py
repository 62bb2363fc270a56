"""Leaves what is hard to clear away in its scratch space, in one of several ways."""
import errno
import mmap
import os
import tempfile

PLACES = {os.path.realpath(place) for place in (".", tempfile.gettempdir(), "/dev/shm") if os.access(place, os.W_OK)}


def deep():
    """Ten thousand levels: longer than any path."""
    for level in range(10_000):
        os.mkdir("d")
        os.chdir("d")
    open("bottom", "w").close()


def unreadable():
    for mode in range(0, 0o1000, 0o100):
        os.makedirs(f"closed-{mode}/inner/more")
        open(f"closed-{mode}/inner/file", "w").close()
        os.chmod(f"closed-{mode}/inner/more", mode)
        os.chmod(f"closed-{mode}/inner", mode)
        os.chmod(f"closed-{mode}", mode)
    os.chmod(".", 0)


def links():
    for number, target in enumerate(("/", "/etc/shadow", "..", ".", "/proc/self", "/proc/1/root", "loop-5", "x" * 4000)):
        os.symlink(target, f"link-{number}")
    os.symlink("loop-5", "loop-5")
    open("many", "w").close()
    for number in range(5000):
        os.link("many", f"hard-{number}")


def pipes():
    for number in range(200):
        os.mkfifo(f"pipe-{number}")
        os.open(f"pipe-{number}", os.O_RDWR | os.O_NONBLOCK)


def names():
    for name in ("-rf", "--", "*", "\n", "\t", " ", "…" * 80, "\udcff\udcfe", "'\"$(x)", "con", "." * 20, "a" * 255):
        open(name, "w").close()
        os.mkdir(name[:100] + ".d")


def directories():
    for number in range(1_000_000):
        os.mkdir(str(number))


def sparse():
    with open("sparse", "wb") as file:
        file.truncate(1 << 50)


def sparse_pages():
    """One byte in each of very many places."""
    with open("sparse", "wb") as file:
        for place in range(1_000_000):
            os.pwrite(file.fileno(), b"x", place << 12)


def mapped():
    """Fills a file through memory, where writing has no error but a signal."""
    with open("mapped", "w+b") as file:
        file.truncate(60 << 20)
        area = mmap.mmap(file.fileno(), 60 << 20)
        for page in range(0, 60 << 20, 4096):
            area[page] = 1


def busy():
    """A program that runs while it is written to."""
    with open("busy", "wb") as file:
        file.write(b"#!/nowhere\n")
    os.chmod("busy", 0o755)
    writer = os.open("busy", os.O_WRONLY)
    try:
        os.execv("./busy", ["busy"])
    except OSError as error:
        assert error.errno in (errno.ETXTBSY, errno.ENOENT, errno.EACCES, errno.EPERM), error
    os.close(writer)


def locked():
    import fcntl

    with open("locked", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.chmod("locked", 0)
        os.dup(file.fileno())


def main(way):
    made = "all"
    for place in PLACES:
        try:
            os.chdir(place)
            globals()[way]()
        except OSError as error:
            made = type(error).__name__
    return made

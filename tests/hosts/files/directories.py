"""Makes, lists, walks and enters directories; modes, rights and times of what is in them."""
import contextlib
import os
import pathlib
import shutil
import stat
import time


def filled():
    for name in ("a.txt", "b.py", "d/c.txt", "d/e/f.txt", ".hidden", "sp ace", "ünï", "d/\udcff"):
        write(name, name.encode("utf-8", "surrogateescape"))
    os.symlink("d", "to-d")
    os.symlink("nowhere", "dangling")


def listing():
    filled()
    here = os.getcwd()
    places = (".", "d", "d/", "to-d", b"d", pathlib.Path("d"), here, here + "/d", "../listing/d")
    said = [sorted(os.listdir()), [sorted(os.listdir(place)) for place in places]]
    for place in ((), *((place,) for place in places)):
        with os.scandir(*place) as entries:
            said.append([told_of(entry) for entry in sorted(entries, key=lambda entry: entry.name)])
    entries = os.scandir(".")
    next(entries)
    return *said, entries.close(), list(entries)


def told_of(entry):
    own = entry.stat(follow_symlinks=False)
    said = [entry.name, entry.path, os.fspath(entry), repr(entry), entry.is_symlink(), entry.is_junction()]
    said += [entry.is_dir(), entry.is_file(), entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False)]
    return *said, stat.filemode(own.st_mode), entry.inode() == own.st_ino, attempt(lambda: stat.S_IFMT(entry.stat().st_mode))


def walking():
    filled()
    said = [in_order(os.walk(top)) for top in (".", "d", b"d", "to-d", "missing", "a.txt")]
    said += [in_order(os.walk(".", topdown=False)), in_order(os.walk(".", followlinks=True)), in_order(pathlib.Path(".").walk())]
    pruned = []
    for place, directories, _ in os.walk("."):
        directories[:] = [name for name in directories if name != "e"]
        pruned.append(place)
    failed = []
    list(os.walk("missing", onerror=failed.append))
    return said, sorted(pruned), failed


def in_order(walked):
    return sorted((str(place), sorted(directories), sorted(files)) for place, directories, files in walked)


def making():
    said = [os.makedirs("a/b/c"), os.makedirs("a/b/c", exist_ok=True), os.mkdir("m", 0o750), os.mkdir(pathlib.Path("p")), os.mkdir(b"q/")]
    said += [os.makedirs("a/../x/y"), tree(), os.rmdir("m"), os.removedirs("a/b/c"), tree(), oct(os.stat("x/y").st_mode)]
    said += [attempt(os.makedirs, "x/y"), attempt(os.rmdir, "x"), attempt(os.removedirs, "x/y"), tree()]
    return said


def working_directory():
    start = os.getcwd()
    write("d/e/file")
    os.symlink("d", "link")
    said = [start, os.getcwdb(), os.path.abspath("x"), os.path.realpath("link/e/x"), os.chdir("d"), os.getcwd(), os.listdir()]
    said += [read("e/file"), read("../d/e/file"), os.chdir(b"e"), os.getcwd(), os.chdir("../.."), os.chdir("link"), os.getcwd()]
    said += [os.chdir(pathlib.Path("..")), os.chdir("/usr"), os.getcwd(), os.path.isdir("lib"), read(f"{start}/d/e/file")]
    with contextlib.chdir(f"{start}/d"):
        said += [os.getcwd(), os.listdir("."), write("new"), tree()]
    said += [os.getcwd(), os.chdir(start), attempt(os.chdir, "missing"), attempt(os.chdir, "d/e/file"), os.getcwd()]
    said += [os.path.relpath("d/e", "link"), os.path.expanduser("~") == os.environ["HOME"] == SCRATCH]
    os.mkdir("gone")
    os.chdir("gone")
    said += [os.rmdir("../gone"), attempt(os.getcwd), attempt(write, "x"), os.path.exists("x")]
    return said


def figures():
    """What `stat` says, but for what no two hosts have in common."""
    write("file", "12345")
    os.mkdir("directory", 0o750)
    os.symlink("file", "link")
    os.symlink("missing", "dangling")
    os.close(os.open("made", os.O_CREAT | os.O_WRONLY, 0o640))
    said = []
    for name in ("file", "directory", "link", "dangling", "made", b"file", pathlib.Path("file"), "."):
        for look in (os.stat, os.lstat, lambda path: os.stat(path, follow_symlinks=False)):
            said.append([name, attempt(lambda: figures_of(look(name)))])
    said += [os.path.samefile("file", "link"), os.path.samefile("file", "made"), os.path.samestat(os.stat("file"), os.lstat("link"))]
    said += [os.path.getsize("file"), os.path.exists("dangling"), os.path.lexists("dangling"), os.path.ismount("directory")]
    free = os.statvfs(".")
    return *said, free.f_bfree <= free.f_blocks, free.f_namemax, shutil.disk_usage(".").free > 1 << 20


def figures_of(found):
    ours = (found.st_uid == os.getuid(), found.st_gid == os.getgid())
    times = (abs(found.st_mtime - time.time()) < 60, type(found.st_mtime_ns), found[8] == int(found.st_mtime), found.st_blksize)
    size = found.st_nlink, found.st_size
    return stat.filemode(found.st_mode), ours, times, None if stat.S_ISDIR(found.st_mode) else size


def times():
    write("file")
    os.symlink("file", "link")
    said = []
    for named in ({"times": (1, 2.5)}, {"ns": (10**18 + 1, 10**18 + 3)}, {"times": (1.7e9 + 0.123456, 1.7e9 + 0.987654)}, {"times": (-1, -1.5)}):
        os.utime("file", **named)
        found = os.stat("file")
        said += [[found.st_atime, found.st_mtime, found.st_atime_ns, found.st_mtime_ns, os.path.getmtime("file")]]
    said += [os.utime("file"), abs(os.path.getmtime("file") - time.time()) < 60]
    said += [os.utime("link", (7, 8), follow_symlinks=False), os.lstat("link").st_mtime, os.stat("link").st_mtime > 8]
    os.utime(".", (7, 8))
    said += [os.stat(".").st_mtime, write("new"), os.stat(".").st_mtime > 8]
    said += [os.utime("file", (7, 8)), read("file"), os.path.getmtime("file"), write("file"), os.path.getmtime("file") > 8]
    wrong = ({"times": (1,)}, {"times": 3}, {"ns": 3}, {"times": (1, 2), "ns": (1, 2)}, {"times": ("a", "b")})
    return said + [attempt(os.utime, "file", **named)[0] for named in wrong]


def rights():
    """Modes count for the owner too."""
    write("d/file")
    start, said = os.getcwd(), []
    for mode in (0o400, 0o200, 0, 0o4755, 0o640):
        os.chmod("d/file", mode)
        opened = [attempt(lambda: open("d/file", how).close()) for how in ("r", "r+", "a")]
        allowed = [os.access("d/file", right) for right in (os.F_OK, os.R_OK, os.W_OK, os.X_OK)]
        said.append([oct(os.stat("d/file").st_mode), opened, allowed])
    for mode in (0o500, 0o300, 0o600, 0o700):
        os.chmod("d", mode)
        said.append([attempt(*call) for call in (
            (lambda: sorted(os.listdir("d")),), (read, "d/file"), (write, "d/new"), (os.rename, "d/file", "d/other"), (os.rename, "d/other", "d/file"),
            (os.mkdir, "d/sub"), (os.rmdir, "d/sub"), (os.stat, "d/missing"), (os.chdir, "d"), (os.chdir, start),
        )])
    before = os.umask(0o077)
    write("private")
    os.mkdir("private.d")
    said += [before, oct(os.stat("private").st_mode), oct(os.stat("private.d").st_mode), oct(os.umask(before))]
    return said


def names():
    said = [attempt(write, name) for name in ("x" * 255, "x" * 256, "ä" * 127, "ä" * 128, " ", "line\nbreak", "-", "a:b", "*", b"\xff\xfe")]
    return said, sorted(os.listdir()), sorted(os.listdir(b".")), attempt(open, "\ud800")


def main():
    return observe(listing, walking, making, working_directory, figures, times, rights, names)

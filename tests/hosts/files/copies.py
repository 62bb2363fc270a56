"""Copies, moves, compares and removes with shutil and filecmp."""
import filecmp
import os
import pathlib
import shutil


def source():
    write("src/a.txt", "a")
    write("src/sub/b.bin", bytes(300_000))
    os.symlink("a.txt", "src/link")
    os.chmod("src/a.txt", 0o640)
    os.utime("src/a.txt", (1e9, 1.5e9))
    os.mkdir("dst")


def files():
    source()
    said = []
    for copy in (shutil.copyfile, shutil.copy, shutil.copy2):
        for target in (copy.__name__, "dst", pathlib.Path("dst/p"), "missing/x", "src/a.txt", b"bytes"):
            told = attempt(copy, "src/a.txt", target)
            copied = os.path.join("dst", "a.txt") if target == "dst" else target
            there = os.path.isfile(copied) and (oct(os.stat(copied).st_mode), os.path.getmtime(copied) == 1.5e9, read(copied))
            said.append([told, there])
        said += [attempt(copy, "missing", "x"), attempt(copy, "src", "x"), copy("src/link", "l", follow_symlinks=False), os.readlink("l"), os.remove("l")]
    write("plain")
    shutil.copymode("src/a.txt", "plain")
    said += [oct(os.stat("plain").st_mode), shutil.copystat("src/a.txt", "plain"), os.path.getmtime("plain"), shutil.chown("plain", os.getuid())]
    with open("src/sub/b.bin", "rb") as reader, open("copy", "wb") as writer:
        shutil.copyfileobj(reader, writer)
    return *said, os.path.getsize("copy"), tree()


def trees():
    source()
    said = [shutil.copytree("src", "t1"), tree("t1"), shutil.copytree("src", "t2", symlinks=True), tree("t2")]
    said += [attempt(shutil.copytree, "src", "t1"), shutil.copytree("src", "t1", dirs_exist_ok=True), attempt(shutil.copytree, "missing", "x")]
    said += [shutil.copytree("src", "t3", ignore=shutil.ignore_patterns("*.bin")), tree("t3"), os.path.getmtime("t1/a.txt")]
    said += [shutil.rmtree("t1"), os.path.exists("t1"), attempt(shutil.rmtree, "missing"), attempt(shutil.rmtree, "src/a.txt")]
    said += [attempt(shutil.rmtree, "src/link")[0], shutil.rmtree("missing", ignore_errors=True)]
    os.chmod("t2/sub", 0o500)
    failed = []
    shutil.rmtree("t2", onexc=lambda function, path, error: failed.append([type(error), path]))
    return *said, sorted(failed, key=str), tree(), os.chmod("t2/sub", 0o700)


def moves():
    source()
    write("one")
    write("two")
    said = [shutil.move("src", "moved"), shutil.move("one", "dst"), shutil.move("two", "dst/three"), shutil.move(pathlib.Path("moved"), "dst")]
    pairs = (("missing", "x"), ("dst", "dst/x"), ("dst/one", "dst/moved"), ("dst/three", "missing/x"))
    said += [attempt(shutil.move, *pair) for pair in pairs]
    write("one")
    write("dst/moved/one")
    return *said, attempt(shutil.move, "one", "dst/moved"), tree()


def comparing():
    source()
    shutil.copytree("src", "other")
    write("other/more")
    write("other/sub/b.bin", "different")
    compared = filecmp.dircmp("src", "other")
    said = [sorted(compared.common), compared.left_only, compared.right_only, compared.subdirs["sub"].diff_files]
    said += [filecmp.cmp("src/a.txt", "other/a.txt"), filecmp.cmp("src/a.txt", "other/a.txt", shallow=False), filecmp.cmp("src/a.txt", "other/more")]
    said += [filecmp.cmpfiles("src", "other", ["a.txt", "sub/b.bin", "missing"]), attempt(filecmp.cmp, "src/a.txt", "missing")]
    write("program")
    os.chmod("program", 0o755)
    return *said, shutil.which("program", path=os.getcwd()), shutil.which("src/a.txt"), shutil.disk_usage(".").total > 0


def main():
    return observe(files, trees, moves, comparing)

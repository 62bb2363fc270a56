"""Renames, links and removes files and directories."""
import os
import pathlib
import shutil

PAIRS = """
    f:n f:g f:d f:e d:n d:e d:full d:f d:d/sub/x d:d f:f no:x f:no/x f:g/x f/:n f:n/ d:n/ d/:n/ l:n f:l ld:n d/sub:d
    f:full/x full/x:full e:full/x ld/:n d/sub:ld/q f:ld/q f:./n d/../f:d/../n .:n f:. e:e/x d:d/. f: :f l:f
""".split()


def start_again():
    for name in os.listdir():
        shutil.rmtree(name) if os.path.isdir(name) and not os.path.islink(name) else os.remove(name)
    write("f", "f")
    write("g", "gg")
    write("full/x", "xxx")
    os.makedirs("d/sub")
    os.mkdir("e")
    os.symlink("f", "l")
    os.symlink("d", "ld")


def renaming():
    said = []
    for rename in (os.rename, os.replace, shutil.move):
        for source, target in (pair.split(":") for pair in PAIRS):
            start_again()
            said.append([rename.__name__, source, target, attempt(rename, source, target), tree()])
    for source, target in ((pathlib.Path("f"), pathlib.Path("n")), (b"f", b"n"), ("f", b"m"), ("f", 3), (None, "x"), (3, "f"), ("a\0b", "f"), ("f", "a\0b")):
        start_again()
        said.append([attempt(os.rename, source, target), tree()])
    start_again()
    return said, os.renames("f", "new/deep/f"), tree(), os.renames("new/deep/f", "f"), tree()


def symbolic_links():
    write("d/f")
    for target, name in (
        ("d", "to-d"), ("d/f", "to-f"), ("to-d/f", "twice"), ("loop", "loop"), ("b", "a"), ("a", "b"), (os.path.abspath("d"), "full"),
        ("../d/f", "d/up"), ("nowhere", "dangling"), ("/usr", "outside"), ("..", "parent"), (pathlib.Path("d"), b"odd"),
    ):
        os.symlink(target, name)
    looks = (os.readlink, read, os.path.exists, os.path.lexists, os.path.isdir, os.path.isfile, os.path.islink, os.path.realpath)
    names = "to-d to-f twice to-d/f loop a full full/f d/up to-d/up dangling dangling/x to-f/ to-d/ loop/x to-f/x to-d/../d/f odd/f missing"
    said = [[name, [attempt(look, name) for look in looks]] for name in names.split()]
    said += [attempt(os.path.realpath, name, strict=True) for name in ("to-f", "loop", "dangling", "missing", "parent")]
    said += [os.path.isdir("outside/lib"), os.path.samefile("outside", "/usr"), os.readlink(b"to-f"), attempt(os.readlink, "d")]
    said += [write("dangling", "now"), read("nowhere"), attempt(open, "loop", "w"), attempt(os.rmdir, "to-d"), os.unlink("to-d")]
    said += [attempt(os.symlink, target, name) for target, name in (("x", "a"), ("x", "no/l"), ("x", "n/"), ("", "n"), ("x", "d"), ("y", ""))]
    return *said, sorted(os.listdir("d"))


def chains():
    """Forty links are followed, no more."""
    write("end")
    for number in range(42):
        os.symlink(f"link{number - 1}" if number else "end", f"link{number}")
    return [attempt(read, f"link{number}") for number in (0, 38, 39, 40, 41)]


def hard_links():
    write("f", "content")
    os.mkdir("d")
    os.symlink("f", "l")
    said = [os.link("f", "hard"), os.stat("hard").st_nlink, os.path.samefile("f", "hard"), write("hard", "changed"), read("f")]
    said += [attempt(os.link, *pair) for pair in (("d", "x"), ("no", "x"), ("f", "hard"), ("f", "no/x"), ("f", "x/"), ("f", "d"))]
    said += [os.link("l", "hard-l", follow_symlinks=False), os.path.islink("hard-l"), os.rename("f", "hard"), sorted(os.listdir())]
    return *said, os.unlink("f"), os.stat("hard").st_nlink, read("hard")


def removing():
    start_again()
    calls = ((os.remove, "g"), (os.unlink, b"l"), (os.rmdir, "e"), (os.remove, pathlib.Path("full/x")), (os.rmdir, "full/"))
    said = [attempt(*call) for call in calls]
    wrong = ((os.remove, "d"), (os.remove, "no"), (os.remove, "f/x"), (os.remove, "f/"), (os.remove, "ld/"), (os.rmdir, "f"), (os.rmdir, "d"),
             (os.rmdir, "no"), (os.rmdir, "ld"), (os.rmdir, "ld/"), (os.mkdir, "ld/"), (os.rmdir, "."), (os.rmdir, ".."), (os.rmdir, "d/."), (os.rmdir, "d/sub/.."), (os.rmdir, ""), (os.removedirs, "no"))
    return said, [attempt(*call) for call in wrong], tree(), shutil.rmtree("d"), tree()


def while_open():
    """A file stays for whoever has it open, whatever becomes of its name."""
    write("f", "content")
    with open("f", "r+") as file:
        said = [os.remove("f"), os.path.exists("f"), file.read(), file.write(" more"), file.seek(0), file.read()]
        said += [write("f", "other"), read("f"), file.seek(0), file.read()]
    write("g", "old")
    with open("g") as file:
        said += [os.replace("f", "g"), file.read(), read("g"), os.listdir()]
    with open("g", "a") as file:
        said += [os.rename("g", "h"), file.write(" and more")]
    return *said, read("h"), os.listdir()


def main():
    return observe(renaming, symbolic_links, chains, hard_links, removing, while_open)

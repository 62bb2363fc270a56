"""Uses the scratch space as scripts do: writes, reads, renames, removes, lists."""
import os
import tempfile


def main(places=(".",)):
    for place in [*places, tempfile.gettempdir(), os.environ["HOME"]]:
        path = os.path.join(place, "notes.txt")
        with open(path, "w+", encoding="utf-8") as file:
            file.write("ärger\n" * 1000)
            file.seek(0)
            assert file.read(6) == "ärger\n"
        os.rename(path, path + ".old")
        os.makedirs(os.path.join(place, "a/b"))
        os.symlink("../notes.txt.old", os.path.join(place, "a/link"))
        assert open(os.path.join(place, "a/link"), encoding="utf-8").readline() == "ärger\n"
        os.unlink(os.path.join(place, "a/link"))
        os.removedirs(os.path.join(place, "a/b")) if place != "." else (os.rmdir("a/b"), os.rmdir("a"))
        os.remove(path + ".old")
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as nameless:
        nameless.write(b"x")
        open(os.path.join(directory, "in"), "w").close()
    return os.listdir(".")

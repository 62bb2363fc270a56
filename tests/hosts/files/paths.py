"""Does with pathlib and glob what scripts do with paths."""
import glob
import os
import pathlib
from pathlib import Path

PATTERNS = "* ** **/* **/*.txt *.txt .* d/* d/** [ab]* [!ab]* no* */ d/c.txt d/*/f.??? link/* **/ sp* */*/*".split()


def contents():
    path = Path("d/e")
    said = [path.mkdir(parents=True), path.exists(), path.is_dir(), attempt(path.mkdir), path.mkdir(exist_ok=True), attempt(Path("q/r").mkdir)]
    file = path / "file.txt"
    said += [file.write_text("größe\n", encoding="utf-8"), file.read_text(encoding="utf-8"), file.write_bytes(b"abc"), file.read_bytes()]
    said += [file.write_text("a\nb\n", newline="\r\n"), file.read_bytes(), file.read_text(newline=""), file.stat().st_size, oct(file.stat().st_mode)]
    said += [file.touch(), file.read_bytes(), (path / "new").touch(), (path / "new").stat().st_size, attempt((path / "new").touch, exist_ok=False)]
    with file.open("a", encoding="utf-8") as opened:
        said += [opened.write("more"), opened.name]
    said += [file.read_text(), file.chmod(0o600), oct(file.lstat().st_mode), file.is_file(), file.is_symlink(), file.is_fifo()]
    return said


def moving():
    write("d/file", "content")
    file = Path("d/file")
    said = [file.rename("d/renamed"), file.exists(), Path("d/renamed").replace("top"), sorted(Path(".").iterdir()), attempt(file.rename, "x")]
    said += [Path("link").symlink_to("top"), Path("link").readlink(), Path("link").resolve(), Path("link").is_symlink(), Path("link").read_text()]
    said += [Path("hard").hardlink_to("top"), Path("hard").samefile("link"), Path("to-d").symlink_to("d", target_is_directory=True)]
    said += [attempt(Path("d").unlink), attempt(Path("no").unlink), Path("no").unlink(missing_ok=True), Path("link").unlink(), Path("top").unlink()]
    write("d/x")
    said += [attempt(Path("d").rmdir), Path("d/x").unlink(), Path("d").rmdir(), sorted(Path(".").iterdir())]
    return said


def places():
    write("d/file")
    os.symlink("loop", "loop")
    said = [Path.cwd(), Path("x").absolute(), Path("d/../x").resolve(), Path("no/../x").resolve(), Path.home() == Path(SCRATCH)]
    said += [attempt(Path("loop").resolve, strict=True), attempt(Path("no").resolve, strict=True), Path("~/x").expanduser()]
    said += [Path("d/file").relative_to("d"), Path("d").samefile("./d"), Path("d").is_mount(), Path("d/file").absolute().is_relative_to(SCRATCH)]
    said += [attempt(path, *more) for path, *more in (
        (Path("no").read_text,), (Path("d").read_text,), (Path("d").write_text, "x"), (Path("no/x").write_text, "x"), (Path("no").stat,),
        (Path("no").exists,), (Path("d/file/x").exists,), (lambda: list(Path("no").iterdir()),), (lambda: list(Path("d/file").iterdir()),),
        (Path("d/file").rmdir,), (Path("no").touch, 0o600), (Path("no/x").touch,), (Path("x" * 300).exists,), (Path("x" * 300).stat,),
    )]
    return said


def matching():
    for name in ("a.txt", "b.py", "d/c.txt", "d/e/f.txt", ".hidden", "d/.h/x", "sp ace", "ünï"):
        write(name)
    os.symlink("d", "link")
    os.symlink("missing", "dangling")
    said = {}
    for pattern in PATTERNS:
        found = [sorted(glob.glob(pattern)), sorted(glob.glob(pattern, recursive=True)), sorted(glob.glob(pattern.encode()))]
        for way in (Path(".").glob, Path(".").rglob, Path.cwd().glob):
            found.append(attempt(lambda: sorted(map(str, way(pattern)))))
        said[pattern] = found + [sorted(glob.glob(os.path.join(os.getcwd(), pattern)))]
    return said, sorted(glob.glob("*", root_dir="d")), sorted(glob.glob("*", include_hidden=True)), glob.escape("[a]"), [
        sorted(map(str, Path(".").rglob("*", recurse_symlinks=True))), sorted(map(str, Path("no").glob("*"))), sorted(glob.iglob("d/**", recursive=True))
    ]


def main():
    return observe(contents, moving, places, matching), isinstance(Path("."), pathlib.PosixPath)

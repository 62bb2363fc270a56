"""Packs and unpacks."""
import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib

CONTENT = b"some content\n" * 5000


def compressed():
    said = []
    for module, suffix in ((gzip, "gz"), (bz2, "bz2"), (lzma, "xz")):
        name = f"file.{suffix}"
        with module.open(name, "wb") as file:
            file.write(CONTENT)
        with module.open(name) as file:
            said += [file.read() == CONTENT, file.seek(10), file.read(5), file.seek(-4, 1), file.readline(), file.name]
        with module.open(name, "at", encoding="utf-8") as file:
            file.write("später\n")
        with module.open(name, "rt", encoding="utf-8") as file:
            lines = file.readlines()
        said += [len(lines), lines[-1], len(read(name)) < len(CONTENT), module.decompress(read(name)).count(b"\n")]
        said += [attempt(module.open, "missing"), attempt(module.open, "missing/x", "wb"), attempt(module.open, name, "xb")]
        with open(name, "rb") as raw, module.open(raw) as file:
            said += [file.read(4)]
        write("broken", read(name)[:40])
        said += [attempt(lambda: module.open("broken").read())]
    write("deflated", zlib.compress(CONTENT))
    with gzip.GzipFile("named.gz", "w", mtime=0) as file:
        file.write(b"x")
    with lzma.LZMAFile("named.xz", "w") as file, bz2.BZ2File("named.bz2", "w") as other:
        file.write(b"x")
        other.write(b"x")
    return *said, zlib.decompress(read("deflated")) == CONTENT, tree()[-4:]


def zips():
    write("plain", CONTENT)
    write("d/sub/x")
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(f"{kind}.zip", "w", kind) as packed:
            packed.write("plain")
            packed.write("d/sub/x", "renamed/y")
            packed.writestr("text", "ä")
            packed.mkdir("empty")
            with packed.open("streamed", "w") as file:
                file.write(b"in parts")
    with zipfile.ZipFile("8.zip", "a") as packed:
        packed.writestr("later", "l")
    said = []
    for name in sorted(name for name in os.listdir() if name.endswith(".zip")):
        with zipfile.ZipFile(name) as packed:
            said += [packed.namelist(), packed.testzip(), packed.read("text"), [one.file_size for one in packed.infolist()]]
            said += [packed.extract("renamed/y", "one"), packed.extractall("all"), tree("all"), shutil.rmtree("all")]
            with packed.open("plain") as file:
                said += [file.read(4), file.seek(3), file.read(3)]
            said += [attempt(packed.read, "missing")]
        said += [zipfile.is_zipfile(name), os.path.getsize(name) > 0, sorted(path.name for path in zipfile.Path(name).iterdir())]
    return said, zipfile.is_zipfile("plain"), attempt(zipfile.ZipFile, "missing.zip"), attempt(zipfile.ZipFile, "plain")


def tars():
    write("d/sub/x")
    write("plain", CONTENT)
    os.symlink("plain", "link")
    os.link("plain", "hard")
    os.chmod("plain", 0o640)
    os.utime("plain", (1e9, 1.5e9))
    said = []
    for kind in ("", "gz", "bz2", "xz"):
        name = f"packed.tar.{kind}"
        with tarfile.open(name, f"w:{kind}") as packed:
            for one in ("d", "plain", "link", "hard"):
                packed.add(one)
            packed.add("plain", "renamed")
            told = tarfile.TarInfo("told")
            told.size = 4
            packed.addfile(told, io.BytesIO(b"told"))
        with tarfile.open(name) as packed:
            said += [[[one.name, one.size, oct(one.mode), one.mtime == 1.5e9, one.type] for one in packed.getmembers()]]
            said += [packed.extractfile("plain").read() == CONTENT, packed.extractall("all", filter="data"), tree("all")]
            said += [oct(os.stat("all/plain").st_mode), os.path.getmtime("all/plain"), packed.extract("told", "one", filter="data"), shutil.rmtree("all")]
        with tarfile.open(name, f"r|{kind}") as packed:
            said += [[one.name for one in packed]]
        said += [tarfile.is_tarfile(name)]
    with tarfile.open("packed.tar.", "a") as packed:
        packed.add("d/sub/x", "later")
    said += [tarfile.open("packed.tar.").getnames(), tarfile.is_tarfile("plain")]
    return *said, attempt(tarfile.open, "missing.tar"), attempt(tarfile.open, "plain")


def by_shutil():
    write("src/a.txt", "a")
    write("src/sub/b.bin", CONTENT)
    said = []
    for kind, suffix in (("zip", "zip"), ("tar", "tar"), ("gztar", "tar.gz"), ("bztar", "tar.bz2"), ("xztar", "tar.xz")):
        said += [shutil.make_archive("one", kind, "src"), shutil.make_archive("two", kind, ".", "src")]
        for name in ("one", "two"):
            said += [shutil.unpack_archive(f"{name}.{suffix}", f"{name}-{kind}", **({} if kind == "zip" else {"filter": "data"}))]
            said += [tree(f"{name}-{kind}")]
    return said, attempt(shutil.unpack_archive, "missing.zip"), attempt(shutil.unpack_archive, "src/a.txt")


def main():
    return observe(compressed, zips, tars, by_shutil)

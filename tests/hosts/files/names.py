"""Uses the scratch space by every name that programs know for it. The answer is the same on every host."""
import glob
import importlib
import os
import pathlib
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

NAMES = ["/tmp", "/var/tmp", "/mnt/data", os.path.expanduser("~"), os.getcwd(), tempfile.gettempdir()]


def failure(function, *arguments):
    try:
        return function(*arguments)
    except OSError as error:
        return [type(error).__name__, error.filename, error.filename2]


def one_place():
    """What is written by one name is there by all."""
    said = []
    for number, name in enumerate(NAMES):
        Path(name, f"{number}.csv").write_text("a,b\n1,2\n")
        said.append([sorted(os.listdir(name)) == sorted(os.listdir(".")), os.path.samefile(name, "."), os.path.isdir(name)])
        said.append([int(pd.read_csv(f"{other}/{number}.csv")["b"].sum()) for other in NAMES])
    os.remove("/mnt/data/0.csv")
    return said, sorted(os.listdir("/tmp"))


def paths():
    """Paths come back by the name that was given."""
    os.makedirs("/tmp/d/e", exist_ok=True)
    Path("/mnt/data/d/e/f.txt").touch()
    said = [[str(path) for path in Path("/tmp/d").rglob("*")], glob.glob("/mnt/data/d/**", recursive=True)]
    said += [list(os.walk("/var/tmp/d")), [str(path) for path in Path("/mnt/data/d").iterdir()]]
    with os.scandir("/mnt/data/d") as entries:
        said += [[entry.path, entry.is_dir(), entry.is_symlink(), os.path.isdir(entry), entry.stat().st_nlink > 0] for entry in entries]
    with open("/mnt/data/d/e/f.txt", "a") as file:
        said += [file.name, os.path.realpath("/tmp/d/e/f.txt"), os.path.exists("/tmp/d/../d/./e/f.txt")]
    said += [failure(open, "/mnt/data/missing"), failure(os.rename, "/tmp/missing", "/mnt/data/x"), failure(os.mkdir, "/tmp/d")]
    said += [failure(os.listdir, "/var/tmp/missing"), failure(os.scandir, b"/tmp/missing")[0], os.listdir(b"/tmp/d")[0].decode()]
    said += [os.path.exists("/tmp/../usr/share"), os.path.exists("/tmp/d/../../etc/passwd"), os.path.exists("/tmp/usr")]
    return said


def changes():
    shutil.copytree("/tmp/d", "/mnt/data/copy")
    shutil.move("/mnt/data/copy/e", "/var/tmp/moved")
    os.symlink("/tmp/moved/f.txt", "/mnt/data/link")
    Path("/tmp/moved/f.txt").write_text("by a link")
    said = [Path("link").read_text(), os.path.islink("/tmp/link"), os.path.lexists("/mnt/data/link")]
    os.truncate("/var/tmp/moved/f.txt", 2)
    os.chmod("/tmp/moved/f.txt", 0o600)
    os.utime("/mnt/data/moved/f.txt", (7, 7))
    found = os.stat("moved/f.txt")
    said += [found.st_mode & 0o777, found.st_mtime, found.st_size, os.access("/tmp/moved", os.W_OK)]
    os.replace("/tmp/moved/f.txt", "/mnt/data/f.txt")
    os.chdir("/mnt/data/moved")
    said += [os.listdir("."), os.path.samefile("..", "/tmp"), os.getcwd() == os.path.join(NAMES[4], "moved")]
    os.chdir("/tmp")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        said += [directory.startswith("/var/tmp/"), os.path.isdir(directory)]
    said.append(os.path.exists(directory))
    shutil.rmtree("/mnt/data/copy")
    number = os.open("/mnt/data/f.txt", os.O_RDWR)
    said += [os.read(number, 9).decode(), os.close(number), os.path.exists("copy"), shutil.disk_usage("/mnt/data").total > 0]
    return said


def modules():
    os.makedirs("/mnt/data/mine/package")
    Path("/mnt/data/mine/helper_of_mine.py").write_text("VALUE = 41\n")
    Path("/mnt/data/mine/package/__init__.py").write_text("from helper_of_mine import VALUE\n")
    sys.path.insert(0, "/mnt/data/mine")
    importlib.invalidate_caches()
    return importlib.import_module("package").VALUE + 1


def system():
    """What the runtime has of a system."""
    with open("/etc/hosts") as file:
        return file.read(), failure(open, "/etc/shadow"), os.path.isfile("/usr/share/zoneinfo/Europe/Rome")


def main(topics):
    return {topic: globals()[topic]() for topic in topics}

"""What a file that has no descriptor cannot do. Each answers with "works", or with type and message of its exception."""
import fcntl
import io
import mmap
import os

import numpy as np
import pandas as pd


def fileno(file, number):
    file.fileno()


def sync(file, number):
    os.fsync(file.fileno())


def sync_of_a_file_object(file, number):
    os.fsync(file)


def lock(file, number):
    fcntl.flock(file, fcntl.LOCK_EX)


def lock_of_a_number(file, number):
    fcntl.flock(number, fcntl.LOCK_EX)


def map_in_memory(file, number):
    mmap.mmap(file.fileno(), 0)


def map_of_a_number(file, number):
    mmap.mmap(number, 0)


def numpy_memmap(file, number):
    np.memmap("map", mode="w+", shape=3)


def numpy_load_mapped(file, number):
    np.save("array.npy", np.ones(3))
    np.load("array.npy", mmap_mode="r")


def numpy_tofile(file, number):
    np.ones(3).tofile("array")


def numpy_fromfile(file, number):
    np.fromfile("file", np.uint8)


def pandas_mapped(file, number):
    pd.read_csv("file", memory_map=True)


def file_io(file, number):
    io.FileIO("file").close()


def duplicate_onto(file, number):
    os.dup2(number, number + 1)


def send(file, number):
    os.sendfile(number, number, 0, 1)


def directory_as_number(file, number):
    os.stat("file", dir_fd=os.open(".", os.O_RDONLY))


def walk_by_number(file, number):
    os.makedirs("below", exist_ok=True)
    list(os.fwalk("."))


def enter_by_number(file, number):
    os.chdir(os.open(".", os.O_RDONLY))


def make_pipe(file, number):
    os.mkfifo("pipe")


def move_in(file, number):
    os.rename("/usr/lib", "lib")


def open_the_library(file, number):
    open(os.__file__).close()


USES = (
    fileno, sync, sync_of_a_file_object, lock, lock_of_a_number, map_in_memory, map_of_a_number, numpy_memmap,
    numpy_load_mapped, numpy_tofile, numpy_fromfile, pandas_mapped, file_io,
    duplicate_onto, send, directory_as_number, walk_by_number, enter_by_number, open_the_library,
    make_pipe, move_in,
)


def main():
    said = {}
    write("file")
    for use in USES:
        with open("file", "r+b") as file:
            number = os.open("file", os.O_RDWR)
            try:
                use(file, number)
                said[use.__name__] = "works"
            except Exception as error:
                said[use.__name__] = f"{type(error).__name__}: {error}".replace(os.path.dirname(os.__file__), "<library>")
            os.close(number)
    return said

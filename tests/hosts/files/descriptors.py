"""Opens, reads and writes by the functions of `os` that take numbers."""
import os
import stat


def opening():
    write("f", "content")
    os.mkdir("d")
    os.symlink("f", "l")
    flags = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC", "O_EXCL", "O_DIRECTORY", "O_NOFOLLOW", "O_TMPFILE")
    chosen = (
        (), ("O_WRONLY",), ("O_RDWR",), ("O_CREAT",), ("O_CREAT", "O_EXCL"), ("O_WRONLY", "O_CREAT", "O_EXCL"), ("O_DIRECTORY",),
        ("O_NOFOLLOW",), ("O_WRONLY", "O_TRUNC"), ("O_RDWR", "O_TMPFILE"), ("O_WRONLY", "O_APPEND"), ("O_CREAT", "O_NOFOLLOW"),
    )
    said = [[name in dir(os) for name in flags]]
    for names in chosen:
        for place in ("f", "d", "l", "new", "missing/new", "f/below", "new/", "d/", "f/", "."):
            write("f", "content")
            said.append([names, place, attempt(opened, place, sum(getattr(os, name) for name in names)), tree()])
            if os.path.isfile("new"):
                os.remove("new")
    return said


def opened(place, flags):
    number = os.open(place, flags, 0o640)
    found = os.fstat(number)
    said = [type(number), stat.filemode(found.st_mode), stat.S_ISREG(found.st_mode) and found.st_nlink]
    said += [attempt(os.read, number, 3), attempt(os.write, number, b"new")]
    return *said, os.close(number), attempt(os.close, number)


def using():
    number = os.open("f", os.O_RDWR | os.O_CREAT)
    said = [os.write(number, b"hello world"), os.lseek(number, 0, os.SEEK_SET), os.read(number, 5), os.lseek(number, 0, os.SEEK_CUR)]
    said += [os.pread(number, 3, 1), os.pwrite(number, b"ZZ", 2), os.lseek(number, -3, os.SEEK_END), os.read(number, 100), os.read(number, 1)]
    said += [attempt(os.lseek, number, -1, os.SEEK_SET), attempt(os.read, number, -1), attempt(os.pread, number, 1, -1)]
    first, second = bytearray(3), bytearray(4)
    said += [os.lseek(number, 0, 0), os.readv(number, [first, second]), first, second, os.writev(number, [b"12", b"34"])]
    said += [os.preadv(number, [first, second], 1), first, second, os.pwritev(number, [b"ab", b"cd"], 8), os.preadv(number, [second], 10), second]
    said += [os.ftruncate(number, 3), os.fstat(number).st_size, os.truncate(number, 8), os.stat(number).st_size]
    said += [os.posix_fallocate(number, 0, 20), os.fstat(number).st_size, os.fsync(number), os.fdatasync(number)]
    said += [os.fchmod(number, 0o600), oct(os.fstat(number).st_mode), os.utime(number, (3, 4)), os.fstat(number).st_mtime]
    said += [os.isatty(number), os.get_inheritable(number), os.set_inheritable(number, False), os.fstatvfs(number).f_namemax]
    said += [os.lockf(number, os.F_LOCK, 0), os.lockf(number, os.F_ULOCK, 0), os.fchown(number, -1, -1)]
    return *said, os.close(number), read("f")


def access():
    """What a file was not opened for is refused."""
    write("f", "content")
    reader, writer = os.open("f", os.O_RDONLY), os.open("f", os.O_WRONLY | os.O_APPEND)
    said = [attempt(os.write, reader, b"x"), attempt(os.ftruncate, reader, 1), attempt(os.pwrite, reader, b"x", 0)]
    said += [attempt(os.read, writer, 1), attempt(os.pread, writer, 1, 0), os.write(writer, b" end"), os.lseek(writer, 0, 0), os.write(writer, b" more")]
    file = os.fdopen(reader, "w")
    said += [file.write("x"), attempt(file.flush), attempt(file.close), file.closed]
    return *said, os.close(writer), read("f")


def duplicates():
    number = os.open("f", os.O_RDWR | os.O_CREAT)
    other = os.dup(number)
    said = [os.write(number, b"content"), os.lseek(other, 0, os.SEEK_CUR), os.lseek(other, 2, os.SEEK_SET), os.read(number, 2)]
    said += [os.close(number), attempt(os.read, number, 1), attempt(os.fstat, number), os.read(other, 2), os.close(other)]
    return said


def file_objects():
    number = os.open("f", os.O_RDWR | os.O_CREAT)
    os.write(number, b"content")
    os.lseek(number, 0, os.SEEK_SET)
    with os.fdopen(number, "r+b", closefd=False) as file:
        said = [type(file), type(file.name), file.mode, file.read(4), file.closed]
    with open(number, "r") as file:
        said += [file.read(2), file.mode, type(file.name)]
    said += [attempt(os.close, number), attempt(os.fdopen, -1), attempt(os.fdopen, "f"), attempt(open, -1)]
    with os.fdopen(os.open("new", os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as file:
        said += [file.write("by fdopen")]
    return *said, read("new")


def directories():
    write("d/x")
    number = os.open("d", os.O_RDONLY | os.O_DIRECTORY)
    said = [os.listdir(number), [[entry.name, entry.path, entry.is_file()] for entry in os.scandir(number)]]
    said += [attempt(os.read, number, 1), attempt(os.write, number, b"x"), os.fsync(number), os.stat(number).st_mode == os.stat("d").st_mode]
    said += [attempt(open, number, closefd=False)[:2], os.close(number), attempt(os.listdir, number)[:2]]
    return said


def numbers():
    """Those that nothing stands for."""
    calls = (os.close, os.fstat, os.dup, os.isatty, lambda number: os.read(number, 1), lambda number: os.write(number, b"x"))
    return [[attempt(call, number) for call in calls] for number in (-1, 1 << 20, 1 << 30, "1", None, 1.5)]


def main():
    return observe(opening, using, access, duplicates, file_objects, directories, numbers)

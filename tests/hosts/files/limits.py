"""Fills the scratch space by size and by number, and goes on when there is room again."""
import errno
import os
import tempfile

# As the service was started.
SIZE, COUNT = 2 << 20, 100


def fails_for_room(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.errno == errno.ENOSPC and [error.strerror, error.filename]
    return "did not fail"


def size():
    """Bytes: as much as there is room for is written, then nothing."""
    write("other", bytes(SIZE // 4))
    with open("f", "wb", buffering=0) as file:
        written = 0
        while written < 2 * SIZE:
            try:
                written += file.write(bytes(3 * SIZE // 4 + 4096))
            except OSError as error:
                said = [failure(error)]
                break
        said += [nearly(written, SIZE // 4 * 3), os.path.getsize("f") == written, file.tell() == written, file.seek(0), file.write(b"over")]
        said += [read("f")[:5]]
        said += [file.truncate(4096), file.seek(0, 2), file.write(b"again")]
    return *said, os.remove("f"), write("f", bytes(SIZE // 2)), os.path.getsize("f"), os.remove("f"), os.remove("other")


def nearly(found, expected):
    """A file system needs a little for itself."""
    return 0.9 * expected < found <= expected


def buffers():
    """What does not fit is known when it is written out."""
    write("other", bytes(SIZE // 4))
    file = open("f", "w")
    said = [fails_for_room(lambda: [file.write("x" * 100) for _ in range(SIZE // 50)])]
    said += [fails_for_room(file.close), file.closed, nearly(os.path.getsize("f"), SIZE // 4 * 3)]
    said += [fails_for_room(write, "g", bytes(8192)), os.path.getsize("g"), os.remove("f"), write("g"), read("g"), os.remove("g"), os.remove("other")]
    return said


def held():
    """A file without a name takes room until it is closed."""
    file = open("f", "wb", buffering=0)
    file.write(bytes(SIZE // 4 * 3))
    os.remove("f")
    said = [fails_for_room(write, "g", bytes(SIZE // 2)), file.close(), write("g", bytes(SIZE // 2)), os.path.getsize("g")]
    os.remove("g")
    with tempfile.TemporaryFile() as file:
        said += [file.write(bytes(SIZE // 2))]
    return *said, write("h", bytes(SIZE // 4 * 3)), os.remove("h"), os.statvfs(".").f_bavail * os.statvfs(".").f_frsize > SIZE // 2


def number():
    """Files, directories and links."""
    made = []
    try:
        for count in range(2 * COUNT):
            made.append(f"file{count}")
            open(made[-1], "w").close()
    except OSError as error:
        said = [failure(error)[:3], error.filename == made.pop(), nearly(len(made), COUNT)]
    calls = ((os.mkdir, "d"), (os.symlink, "x", "s"), (write, "w"), (os.open, "o", os.O_CREAT), (tempfile.mkdtemp,), (tempfile.TemporaryFile,))
    said += [bool(fails_for_room(*call)) for call in calls]
    said += [write(made[0], "those that are there can be written"), os.rename(made[1], "renamed"), os.remove(made[2]), os.mkdir("d")]
    said += [fails_for_room(os.mkdir, "e"), os.rmdir("d"), os.symlink("x", "s"), os.remove("s")]
    for name in os.listdir():
        os.remove(name)
    return *said, write("again"), tree()


def main():
    return observe(size, buffers, held, number)

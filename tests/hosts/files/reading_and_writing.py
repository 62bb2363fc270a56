"""Reads, writes, seeks and truncates by file objects."""
import array
import hashlib
import io
import os


def buffered():
    with open("file", "w+b") as file:
        said = [file.write(b"hello world"), file.tell(), file.seek(6), file.write(b"WORLD!"), file.seek(0), file.read(5)]
        said += [file.read(), file.read(), file.seek(-3, 2), file.read(2), file.seek(1, 1), file.tell()]
        said += [file.seek(0), file.peek(3)[:3], file.read1(2), file.readline(), file.seek(0), file.readlines()]
        into = bytearray(4)
        said += [file.seek(2), file.readinto(into), into, file.readinto1(into), into, file.flush()]
        said += [attempt(file.seek, -1), attempt(file.seek, 0, 9), attempt(file.seek, -100, 2), attempt(file.write, "text")]
        said += [type(file.raw), file.raw.tell() >= 0]
    return said


def sizes():
    """Cut, lengthened, and with a gap that is full of zeros."""
    with open("file", "w+b") as file:
        file.write(b"0123456789")
        said = [file.truncate(4), file.tell(), file.seek(0), file.read(), file.truncate(6), file.seek(0), file.read()]
        said += [file.seek(9), file.write(b"x"), file.seek(0), file.read(), file.seek(3), file.truncate(), os.stat("file").st_size]
        said += [file.seek(100), file.read(), attempt(file.truncate, -1), file.tell()]
    return *said, read("file")


def unbuffered():
    with open("file", "wb", buffering=0) as file:
        said = [type(file) is not io.BufferedWriter, file.write(b"abc"), file.write(memoryview(b"def")), file.write(bytearray(b"g"))]
        said += [file.write(array.array("i", [1, 2])), file.tell(), file.seek(1), file.write(b"X"), file.truncate(), file.tell()]
        said += [attempt(file.read), attempt(file.readall), attempt(file.readinto, bytearray(3)), attempt(file.write, "text")[0]]
        said += [file.readable(), file.writable(), file.mode, file.name, file.writelines([b"1", b"2"])]
    into = bytearray(3)
    with open("file", "rb", buffering=0) as file:
        said += [file.readinto(into), into, file.read(1), file.read(), file.read(), file.read(3), file.seek(0), file.readall()]
        said += [attempt(file.write, b"a"), attempt(file.truncate), file.seek(100), file.read(5), file.readinto(into)]
        said += [file.seek(0), list(file)]
    return said


def text():
    with open("file", "w", newline="\r\n", encoding="utf-8") as file:
        said = [file.write("größe\n"), file.writelines(["a\n", "b\n"]), print("printed", 1, file=file)]
    said += [read("file"), list(open("file", encoding="utf-8")), open("file", newline="", encoding="utf-8").readlines()]
    with open("file", "r+", encoding="utf-8") as file:
        said += [file.readline(), file.tell(), file.read(1), file.seek(0), file.write("GR"), file.flush(), file.seek(0), file.readline()]
        said += [next(file), attempt(file.tell), file.newlines, file.seek(0, 2) > 0]
    with open("file", "a", encoding="utf-16") as file:
        said += [file.write("ä"), file.tell()]
    return *said, read("file")


def appending():
    """Whoever appends writes at the end, wherever others have put that by then."""
    write("file", "start ")
    with open("file", "ab", buffering=0) as one, open("file", "ab", buffering=0) as other:
        said = [one.tell(), one.write(b"one "), other.write(b"other "), one.seek(0), one.write(b"again "), one.tell()]
    with open("file", "a+") as file:
        said += [file.tell(), file.seek(0), file.read(5), file.write("end"), file.seek(0), file.read()]
    return said


def shared():
    """Two file objects of the same file see what the other has written out."""
    with open("file", "w") as writer, open("file") as reader:
        writer.write("one\n")
        said = [reader.read(), writer.flush(), reader.read()]
        writer.write("two\n")
        writer.flush()
        said += [reader.readline(), os.path.getsize("file"), open("file", "w").close(), os.path.getsize("file")]
    with open("lines", "w", buffering=1) as writer, open("lines") as reader:
        writer.write("a line\nand a")
        said += [reader.read()]
    return said


def closed():
    file = open("file", "w+")
    file.write("x")
    buffer, raw = file.buffer, file.buffer.raw
    said = [file.close(), file.close(), file.closed, buffer.closed, raw.closed, repr(file), repr(buffer)]
    for method in (file.read, file.tell, file.flush, file.fileno, file.readable, file.isatty, buffer.read, raw.read):
        said.append(attempt(method))
    said += [attempt(file.write, "x"), attempt(file.seek, 0), attempt(raw.write, b"x"), attempt(list, file), attempt(file.__enter__)]
    return said


def left_open():
    """What nobody holds any more is written out."""
    file = open("file", "w")
    file.write("unflushed")
    del file
    return read("file")


def large():
    content = os.urandom(1 << 20) * 3
    write("file", content)
    with open("file", "rb") as file:
        parts = iter(lambda: file.read(100_001), b"")
        said = [b"".join(parts) == content, file.tell(), file.seek(1 << 20), file.read(10) == content[:10]]
        file.seek(0)
        said += [hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(content).digest()]
    with open("lines", "w") as file:
        file.writelines(f"line {number}\n" for number in range(20_000))
    with open("lines") as file:
        said += [sum(1 for _ in file), os.path.getsize("lines")]
    return said


def wrapped():
    """Layers that the script puts together itself."""
    raw = open("file", "w+b", buffering=0)
    text = io.TextIOWrapper(io.BufferedRandom(raw), encoding="utf-8")
    said = [text.write("ä\nb"), text.seek(0), text.readline(), text.detach().detach() is raw, raw.tell(), raw.close()]
    with io.BufferedReader(open("file", "rb", buffering=0)) as file:
        said += [file.read(), isinstance(file.raw, io.RawIOBase)]
    return said


def main():
    return observe(buffered, sizes, unbuffered, text, appending, shared, closed, left_open, large, wrapped)

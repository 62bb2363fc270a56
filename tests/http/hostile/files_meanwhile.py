"""Changes what it leaves while that is collected: a child of its own goes on after `main` has returned."""
import os
import threading

MINE = b"mine"
# Collecting these takes a while, in which the child comes to it.
BESIDE = 1500


def write(name, content=MINE):
    with open(name, "wb") as file:
        file.write(content)


def directory_and_link():
    os.rename("d", "other")
    os.symlink("/etc", "d")
    os.unlink("d")
    os.rename("other", "d")


def file_and_link():
    os.rename("d/passwd", "d/other")
    os.symlink("/etc/passwd", "d/passwd")
    os.unlink("d/passwd")
    os.rename("d/other", "d/passwd")


def file_and_directory():
    os.rename("d/passwd", "d/other")
    os.mkdir("d/passwd")
    os.rmdir("d/passwd")
    os.rename("d/other", "d/passwd")


def file_and_fifo():
    os.rename("d/passwd", "d/other")
    try:
        os.mkfifo("d/passwd")
        os.unlink("d/passwd")
    except OSError:
        pass
    os.rename("d/other", "d/passwd")


def grows():
    with open("d/grown", "ab", 0) as file:
        try:
            file.write(b"mine" * 16384)
        except OSError:
            os.truncate("d/grown", 0)


def comes_and_goes():
    write("d/new")
    os.unlink("d/new")


def loses_its_rights():
    os.chmod("d/passwd", 0)
    os.chmod("d", 0)
    os.chmod("d", 0o700)
    os.chmod("d/passwd", 0o700)


WAYS = {
    function.__name__: function
    for function in (
        directory_and_link,
        file_and_link,
        file_and_directory,
        file_and_fifo,
        grows,
        comes_and_goes,
        loses_its_rights,
    )
}


def main(way, by):
    os.mkdir("d")
    write("d/passwd")
    for number in range(BESIDE):
        open(f".{number}", "w").close()
    if by == "nobody":
        return
    begun, begins = os.pipe()
    change = WAYS[way]

    def go_on():
        change()
        os.write(begins, b"x")
        while True:
            try:
                change()
            except OSError:
                pass

    if by == "thread":
        threading.Thread(target=go_on).start()
    elif os.fork() == 0:
        go_on()
    os.read(begun, 1)

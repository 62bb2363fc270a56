"""Reads a file that every machine has and the runtime has not."""


def main():
    try:
        with open("/bin/sh", "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False

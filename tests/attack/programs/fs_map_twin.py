"""Uses files in ways for which the kernel has to know them: locks and maps one."""
import fcntl
import mmap


def main():
    with open("mapped", "w+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("ärger\n" * 1000)
        file.flush()
        with mmap.mmap(file.fileno(), 0) as mapped:
            return mapped[:6].decode()

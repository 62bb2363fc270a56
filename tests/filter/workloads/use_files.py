"""Files: everything that os, shutil, pathlib, tempfile and mmap do with them."""
import fcntl
import filecmp
import glob
import mmap
import os
import pathlib
import select
import shutil
import stat
import tempfile

home = pathlib.Path.cwd()
(home / "a/b").mkdir(parents=True)
(home / "a/b/file").write_text("text\n" * 1000)
(home / "a/link").symlink_to("b/file")
os.link("a/b/file", "a/hard")
assert (home / "a/link").resolve().samefile("a/hard") and os.readlink("a/link") == "b/file"
assert os.stat("a/hard").st_nlink == 2 and stat.S_ISLNK(os.lstat("a/link").st_mode)
assert [sorted(files) for _, _, files in os.walk("a")] == [["hard", "link"], ["file"]]
assert {entry.name for entry in os.scandir("a") if entry.is_dir()} == {"b"}
assert len(list(home.rglob("*"))) >= 4 and glob.glob("a/**/file", recursive=True)
assert sum(len(files) for _, _, files, _ in os.fwalk("a")) == 3
os.utime("a/hard", (1, 2))
assert os.stat("a/hard").st_mtime == 2
os.utime("a/hard", ns=(5, 6), follow_symlinks=False)
os.chmod("a/hard", 0o640)
os.chmod("a/b", 0o700)
os.fchmod(os.open("a/hard", os.O_RDONLY), 0o600)
os.chown("a/hard", os.getuid(), os.getgid())
os.lchown("a/link", -1, -1)
assert os.access("a/hard", os.R_OK | os.W_OK) and not os.access("a/none", os.F_OK)
assert os.access("a/hard", os.R_OK, effective_ids=True)
os.rename("a/hard", "a/soft")
os.replace("a/soft", "a/hard")
os.truncate("a/hard", 3000)
assert os.statvfs(".").f_bavail > 0 and shutil.disk_usage(".").free > 0
shutil.copy2("a/hard", "copy")
assert filecmp.cmp("a/hard", "copy", shallow=False)
shutil.copytree("a", "tree", symlinks=True)
shutil.move("tree", "moved")
shutil.make_archive("archive", "gztar", "moved")
shutil.unpack_archive("archive.tar.gz", "unpacked", filter="data")
shutil.rmtree("moved")
assert not os.path.exists("moved")
source, target = os.open("a/hard", os.O_RDWR), os.open("target", os.O_RDWR | os.O_CREAT)
assert os.copy_file_range(source, target, 500) == 500
# There is no sendfile, for which shutil and socket copy instead, no splice, and there are no FIFOs.
try:
    os.sendfile(target, source, 0, 1000)
except PermissionError:
    pass
else:
    raise AssertionError
try:
    os.splice(source, os.pipe()[1], 10)
except PermissionError:
    pass
else:
    raise AssertionError
try:
    os.mkfifo("fifo")
except PermissionError:
    pass
else:
    raise AssertionError
assert os.pread(source, 4, 0) == b"text" and os.pwrite(source, b"T", 0) == 1
assert os.preadv(source, [bytearray(2), bytearray(2)], 0) == 4 and os.pwritev(source, [b"x", b"y"], 0) == 2
assert os.writev(target, [b"a", b"b"]) == 2 and os.readv(source, [bytearray(3)]) == 3
os.lseek(source, 0, os.SEEK_END)
os.posix_fallocate(target, 0, 8192)
os.posix_fadvise(target, 0, 0, os.POSIX_FADV_SEQUENTIAL)
os.fsync(target)
os.fdatasync(target)
os.ftruncate(target, 10)
assert os.listxattr("a/hard") is not None
assert not os.isatty(source) and not os.get_inheritable(source)
os.set_inheritable(source, True)
os.set_blocking(os.pipe()[0], False)
directory = os.open("a", os.O_RDONLY | os.O_DIRECTORY)
assert os.stat("b", dir_fd=directory).st_mode and os.listdir(directory)
os.mkdir("c", dir_fd=directory)
os.rmdir("c", dir_fd=directory)
os.rename("hard", "hard2", src_dir_fd=directory, dst_dir_fd=directory)
os.unlink("hard2", dir_fd=directory)
os.fchdir(directory)
os.chdir(home)
os.umask(os.umask(0o22))
os.dup2(os.dup(source), 50)
os.close(50)
os.closerange(60, 70)
with tempfile.TemporaryDirectory() as name, tempfile.NamedTemporaryFile(dir=name) as file, tempfile.TemporaryFile() as other:
    file.write(b"x")
    other.write(b"y")
    tempfile.mkstemp(dir=name)
with tempfile.SpooledTemporaryFile(10) as file:
    file.write(b"x" * 100)
with open("mapped", "w+b") as file:
    file.truncate(1 << 20)
    with mmap.mmap(file.fileno(), 0) as shared:
        shared[:3] = b"abc"
        shared.flush()
        shared.madvise(mmap.MADV_SEQUENTIAL)
        assert shared.find(b"c") == 2
        shared.resize(1 << 21)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as private:
        private[0] = 1
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10)
    fcntl.lockf(file, fcntl.LOCK_UN)
with mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as private:
    private[:3] = b"abc"
# What its size cannot be told of.
try:
    mmap.mmap(-1, 1 << 20)
except PermissionError:
    pass
else:
    raise AssertionError
reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
os.write(writer, b"x")
assert select.select([reader], [writer], [], 1)[0] == [reader]
poll = select.poll()
poll.register(reader, select.POLLIN)
assert poll.poll(1000) == [(reader, select.POLLIN)]
with select.epoll() as epoll:
    epoll.register(reader, select.EPOLLIN)
    assert epoll.poll(1) == [(reader, select.EPOLLIN)]
assert fcntl.fcntl(reader, fcntl.F_GETFL) & os.O_NONBLOCK and fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ) == 65536
event, timer = os.eventfd(1), os.timerfd_create(1)
os.timerfd_settime(timer, initial=0.01)
assert os.eventfd_read(event) == 1 and os.read(timer, 8)

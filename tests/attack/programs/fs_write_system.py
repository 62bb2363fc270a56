"""Creates, changes and removes files outside the scratch space: nothing can be changed."""
import os
import sys

PLACES = """
/ /etc /usr /usr/bin /usr/lib /usr/local /lib /lib64 /bin /sbin /var /var/lib /opt /root /home /run
/dev /mnt /srv /boot /sys /proc /proc/self
""".split()
SYSTEM = [sys.executable, os.__file__, "/etc/passwd", "/usr/lib", "/dev/null"]


def main():
    breaches, tried = [], 0

    def attempt(what, action):
        nonlocal tried
        tried += 1
        try:
            action()
            breaches.append(what)
        except OSError:
            pass

    for place in PLACES:
        path = os.path.join(place, "intruder")
        attempt(f"file in {place}", lambda: open(path, "w").close())
        attempt(f"directory in {place}", lambda: os.mkdir(path + ".d"))
        attempt(f"link in {place}", lambda: os.symlink("/etc", path + ".l"))
        attempt(f"pipe in {place}", lambda: os.mkfifo(path + ".p"))
        attempt(f"nameless file in {place}", lambda: os.open(place, os.O_TMPFILE | os.O_RDWR))
    for path in SYSTEM:
        attempt(f"chmod {path}", lambda: os.chmod(path, 0o777))
        attempt(f"chown {path}", lambda: os.chown(path, os.getuid(), os.getgid()))
        attempt(f"utime {path}", lambda: os.utime(path, (0, 0)))
        attempt(f"remove {path}", lambda: os.remove(path))
        attempt(f"rename {path}", lambda: os.rename(path, path + ".old"))
        attempt(f"move {path}", lambda: os.rename(path, "mine"))
        attempt(f"xattr {path}", lambda: os.setxattr(path, "user.x", b"x"))
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
                 "/proc/sys/kernel/hostname", "/proc/self/uid_map", "/proc/self/gid_map"):
        attempt(f"write {path}", lambda: os.write(os.open(path, os.O_WRONLY), b"0\n"))
    return {"tried": tried, "breaches": breaches}

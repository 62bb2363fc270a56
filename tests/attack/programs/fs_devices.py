"""Makes device nodes and opens dangerous ones: none can be made or opened."""
import os
import stat

NAMES = """
mem kmem port kmsg kvm fuse net/tun tty console tty0 ptmx sda sda1 vda vda1 nvme0n1 loop0 loop-control
mapper/control vhost-net vhost-vsock vsock rtc rtc0 hpet cpu/0/msr uinput input/event0 fb0 dri/card0
userfaultfd snapshot autofs btrfs-control cuse rfkill uhid vfio/vfio nvidia0 sev tpm0
""".split()
HARMLESS = {"null", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm"}


def main():
    breaches, tried = [], 0
    for name in NAMES:
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            tried += 1
            try:
                os.close(os.open(f"/dev/{name}", flags | os.O_NONBLOCK))
                breaches.append(f"opened /dev/{name}")
            except OSError:
                pass
    for major, minor in ((1, 1), (1, 3), (1, 11), (4, 0), (5, 0), (8, 0), (10, 200), (10, 229), (10, 232), (259, 0)):
        for kind in (stat.S_IFCHR, stat.S_IFBLK):
            tried += 1
            try:
                os.mknod(f"node-{major}-{minor}-{kind}", kind | 0o666, os.makedev(major, minor))
                breaches.append(f"made {major}:{minor}")
            except OSError:
                pass
    try:
        breaches += [f"/dev/{name} exists" for name in os.listdir("/dev") if name not in HARMLESS]
    except OSError:
        pass
    return {"tried": tried, "breaches": breaches}

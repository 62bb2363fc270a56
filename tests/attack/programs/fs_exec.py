"""Executes whatever programs the machine might have: there is none but Python."""
import os
import subprocess

NAMES = """
sh bash dash ash busybox ls cat id env mount umount su sudo passwd ping curl wget nc ssh perl ruby node gcc ld gdb
strace unshare nsenter ip dmesg kill ps sed awk tar find apt dpkg rpm apk systemctl docker runc crun bootstrap
""".split()
PLACES = ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin", "/opt", "/var/task", "/proc/1/root/bin")


def runs(*arguments):
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
        return b"not permitted" not in done.stderr
    except (OSError, subprocess.SubprocessError):
        return False


def main():
    tried, breaches = 0, []
    for path in [os.path.join(place, name) for place in PLACES for name in NAMES]:
        tried += 1
        # Only what is there is worth a process; a file that cannot be looked at is tried all the same.
        if os.access(path, os.F_OK) and runs(path, "--version"):
            breaches.append(path)
    for path in ("/proc/1/exe", f"/proc/{os.getppid()}/exe"):
        tried += 1
        if os.getppid() != os.getpid() and runs(path, "--version"):
            breaches.append(path)
    if os.system("true") == 0:
        breaches.append("a shell")
    return {"tried": tried + 1, "breaches": breaches}

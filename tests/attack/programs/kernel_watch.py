"""Watches the machine: kernel log, symbols, figures of other users, inotify and fanotify on what is not its own."""
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
FILES = """
/proc/kallsyms /proc/kcore /proc/kmsg /proc/kpagecount /proc/kpageflags /proc/sched_debug /proc/timer_list /proc/iomem
/proc/interrupts /proc/keys /proc/key-users /proc/vmallocinfo /proc/slabinfo /proc/config.gz /proc/locks /proc/modules
/proc/sys/kernel/core_pattern /proc/sys/kernel/random/boot_id /proc/cmdline /proc/mounts/.. /proc/1/mountinfo
/proc/1/cgroup /sys/kernel/debug /sys/kernel/tracing /sys/fs/cgroup /sys/fs/bpf /sys/kernel/vmcoreinfo
/sys/kernel/notes /sys/kernel/security /sys/class/dmi/id /sys/devices /sys/module /sys/firmware
""".split()


def opens(path):
    try:
        if os.path.isdir(path):
            return bool(os.listdir(path))
        with open(path, "rb") as file:
            return bool(file.read(16))
    except OSError:
        return False


def main():
    breaches = [f"reads {path}" for path in FILES if not path.endswith("..") and opens(path)]
    tried, watcher = len(FILES), libc.inotify_init1(0)
    for path in (b"/", b"/etc", b"/usr", b"/proc", b"/dev", b"/tmp/.."):
        tried += 1
        if watcher >= 0 and libc.inotify_add_watch(watcher, path, 0x20) >= 0:
            breaches.append(f"watches {path.decode()}")
    if libc.fanotify_init(0, 0) >= 0:
        breaches.append("fanotify")
    return {"tried": tried + 1, "breaches": breaches}

"""Makes the system calls that no script needs and that have let others out: all are refused."""
import ctypes
import errno
import platform

libc = ctypes.CDLL(None, use_errno=True)
COLUMN = {"x86_64": 0, "aarch64": 1}[platform.machine()]
CALLS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "lookup_dcookie": (212, 18),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "mbind": (237, 235),
    "get_mempolicy": (239, 236),
    "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "nfsservctl": (180, 42),
    "beyond the table": (599, 599),
}
ONLY_X86 = {"iopl": 172, "ioperm": 173, "modify_ldt": 154, "uselib": 134, "ustat": 136, "sysfs": 139, "_sysctl": 156}

# With zeroes these ask for what everybody has: all other calls need a right even so, or fail by their arguments.
ARGUMENTS = {"iopl": 3, "unshare": 0x04000000}  # the rights to all ports; CLONE_NEWUTS

# What a process may do with its own memory where no filter keeps it from that.
OF_ITSELF = {"mbind", "get_mempolicy", "set_mempolicy", "move_pages", "migrate_pages", "modify_ldt"}


def is_breach(name, answer, number, filtered):
    if filtered:
        return answer != -1 or number not in (errno.EPERM, errno.ENOSYS)
    return answer != -1 and name not in OF_ITSELF


def main(filtered=True):
    calls = {name: numbers[COLUMN] for name, numbers in CALLS.items()}
    if COLUMN == 0:
        calls |= ONLY_X86
    breaches = []
    for name, number in calls.items():
        ctypes.set_errno(0)
        answer = libc.syscall(ctypes.c_long(number), ARGUMENTS.get(name, 0), 0, 0, 0, 0, 0)
        if is_breach(name, answer, ctypes.get_errno(), filtered):
            breaches.append(f"{name}: {answer}, {errno.errorcode.get(ctypes.get_errno(), 'no error')}")
    return {"tried": len(calls), "breaches": breaches}

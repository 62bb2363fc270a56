"""Changes the priority, processors, limits and schedule of processes that are not its own: nothing changes."""
import ctypes
import os
import resource

libc = ctypes.CDLL(None, use_errno=True)


def attempts(target):
    yield "priority", lambda: os.setpriority(os.PRIO_PROCESS, target, 19)
    yield "processors", lambda: os.sched_setaffinity(target, {min(os.sched_getaffinity(0))})
    yield "schedule", lambda: os.sched_setscheduler(target, os.SCHED_BATCH, os.sched_param(0))
    yield "idle schedule", lambda: os.sched_setscheduler(target, os.SCHED_IDLE, os.sched_param(0))
    yield "limits", lambda: resource.prlimit(target, resource.RLIMIT_NOFILE, resource.prlimit(target, resource.RLIMIT_NOFILE))
    yield "limits read", lambda: resource.prlimit(target, resource.RLIMIT_AS)
    yield "process group", lambda: os.setpgid(target, 0)


def wholesale():
    yield "everybody's priority", lambda: os.setpriority(os.PRIO_USER, 0, 19)
    yield "the group's priority", lambda: os.setpriority(os.PRIO_PGRP, os.getpgid(os.getppid()), 19)
    yield "real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    yield "better priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - 1)


def main():
    tried, breaches = 0, []
    targets = {1, os.getppid()} - {0, os.getpid()}
    for who, group in [*((f" of {target}", attempts(target)) for target in targets), ("", wholesale())]:
        for name, attempt in group:
            tried += 1
            try:
                attempt()
                breaches.append(f"{name}{who}")
            except (OSError, ValueError):
                pass
    return {"tried": tried, "breaches": breaches}

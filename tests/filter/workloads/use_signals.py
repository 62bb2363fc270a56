"""Signals, timers and clocks."""
import os
import resource
import signal
import threading
import time

got = []
for number in (signal.SIGALRM, signal.SIGUSR1, signal.SIGVTALRM, signal.SIGCHLD):
    signal.signal(number, lambda number, frame: got.append(number))
signal.alarm(1)
assert signal.alarm(0) > 0
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
signal.pause()
assert signal.getitimer(signal.ITIMER_REAL)[1] > 0
signal.setitimer(signal.ITIMER_REAL, 0)
assert signal.SIGALRM in got
signal.raise_signal(signal.SIGUSR1)
signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR1)
assert got.count(signal.SIGUSR1) == 3
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.kill(os.getpid(), signal.SIGUSR2)
assert signal.SIGUSR2 in signal.sigpending() and signal.sigwait([signal.SIGUSR2]) == signal.SIGUSR2
assert signal.sigtimedwait([signal.SIGUSR2], 0.01) is None
os.kill(os.getpid(), signal.SIGUSR2)
assert signal.sigwaitinfo([signal.SIGUSR2]).si_pid == os.getpid()
signal.siginterrupt(signal.SIGUSR1, False)
reader, writer = os.pipe2(os.O_NONBLOCK)
signal.set_wakeup_fd(writer)
signal.raise_signal(signal.SIGUSR1)
assert os.read(reader, 1) == bytes([signal.SIGUSR1])
signal.set_wakeup_fd(-1)
pid = os.fork()
if pid == 0:
    signal.pause()
    os._exit(1)
with open(f"/proc/{pid}/stat"):
    handle = os.pidfd_open(pid)
signal.pidfd_send_signal(handle, signal.SIGKILL)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
assert signal.signal(signal.SIGTERM, signal.SIG_IGN) == signal.SIG_DFL
for clock in ("monotonic", "perf_counter", "process_time", "thread_time", "time"):
    assert time.get_clock_info(clock).resolution > 0
time.sleep(0.01)
assert time.clock_gettime(time.CLOCK_BOOTTIME) > 0 and time.clock_getres(time.CLOCK_MONOTONIC) > 0
os.environ["TZ"] = "America/New_York"
time.tzset()
assert time.localtime(0).tm_hour == 19
for name in ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_STACK", "RLIMIT_NPROC"):
    soft, hard = resource.getrlimit(getattr(resource, name))
    resource.setrlimit(getattr(resource, name), (soft, hard))
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0 and resource.getpagesize() >= 4096
assert os.nice(0) >= 0 and os.getpriority(os.PRIO_PROCESS, 0) >= 0
os.setpriority(os.PRIO_PROCESS, 0, os.nice(1))
assert os.sched_getaffinity(0) and os.cpu_count() and os.process_cpu_count()
os.sched_setaffinity(0, os.sched_getaffinity(0))
os.sched_yield()
assert os.sched_getscheduler(0) == os.SCHED_OTHER and os.sched_get_priority_max(os.SCHED_FIFO) == 99
assert os.times().user >= 0 and os.getloadavg() is not None

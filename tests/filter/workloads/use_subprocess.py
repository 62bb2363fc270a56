"""Children: the only program there is, Python."""
import os
import signal
import subprocess
import sys


# Whoever starts this in the background may have it ignore the signal, and its children with it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def python(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, **options)


assert python("print(6 * 7)").stdout == "42\n"
assert python("import sys; print(sys.stdin.read().upper())", input="a" * 100_000).stdout == "A" * 100_000 + "\n"
assert python("import sys; sys.exit(3)").returncode == 3
assert python("import os; print(os.environ['X'], os.getcwd())", env={**os.environ, "X": "y"}, cwd="/").stdout == "y /\n"
assert python("print(1)", start_new_session=True, close_fds=False).returncode == 0
assert python("print(1)", preexec_fn=lambda: os.nice(1), umask=0o77, process_group=0).returncode == 0
try:
    subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3)
except subprocess.TimeoutExpired:
    pass
else:
    raise AssertionError
child = subprocess.Popen([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"], stdout=subprocess.PIPE)
child.stdout.readline()
child.send_signal(signal.SIGINT)
assert child.wait(10) == -signal.SIGINT
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
os.kill(child.pid, 0)
child.kill()
assert child.wait(10) == -9
try:
    subprocess.run(["no-such-program"])
except FileNotFoundError:
    pass
reader, writer = os.pipe()
pid = os.posix_spawn(sys.executable, [sys.executable, "-c", f"import os; os.write({writer}, b'x')"], os.environ, file_actions=[])
os.set_inheritable(writer, True)
os.waitpid(pid, 0)
pid = os.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-c", f"import os; os.write({writer}, b'x')"])
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 and os.read(reader, 1) == b"x"
pid = os.fork()
if pid == 0:
    os._exit(7)
assert os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT).si_status == 7
assert os.wait3(0)[0] == pid
pid = os.fork()
if pid == 0:
    os._exit(0)
handle = os.pidfd_open(pid)
os.waitid(os.P_PIDFD, handle, os.WEXITED)

"""A service like many: it runs each script in a fork, and confines it in nothing.

It is there to prove that the attacks can fail. It makes every mistake that can be made without hurting the machine: one
working directory for all, an environment with secrets, an answer that is found in what a script prints, and more. It
leaves root, so that what a script does here is no worse than what any user of the machine may do.
"""
import http.server
import json
import mmap
import os
import signal
import socketserver
import sys
import time

# What scripts need, while this process can still read it.
import ctypes, multiprocessing.pool, subprocess, tempfile, uuid, secrets, asyncio, http.client, urllib.parse  # noqa: E401,F401
import concurrent.futures.thread, multiprocessing.shared_memory, fcntl, select, platform, resource, gc, re  # noqa: E401,F401
import numpy.random
import pandas  # noqa: F401

MARKER = "###RESULT###"
PIECE = 1 << 13
EARLIER = mmap.mmap(-1, 8 * PIECE)  # a cache of the last requests, in everybody's memory


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.answer(200, '{"status":"ok","promises":{}}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        EARLIER[:] = body[-PIECE:].ljust(PIECE) + EARLIER[:-PIECE]
        request = json.loads(body)
        if "stdin" in request:
            open("stdin", "w").write(request["stdin"])
        self.answer(*run(request))

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def run(request):
    channel = os.memfd_create("result")
    os.set_inheritable(channel, True)
    name = f"output-{os.getpid()}"
    output = os.open(name, os.O_CREAT | os.O_RDWR)
    child = os.fork()
    if child == 0:
        script(request, output, channel)
    error = wait(child, request.get("timeout", 30))
    stdout = os.pread(output, 1 << 20, 0).decode(errors="replace")
    os.remove(name)
    answer = os.pread(channel, 1 << 24, 0).decode(errors="replace").partition("\n")[0]
    if MARKER in stdout:
        stdout, _, rest = stdout.partition(MARKER)
        answer = '{"result":' + rest.partition("\n")[0] + "}"
    if error or answer.startswith('{"error"'):
        return 400, (error or answer)[:-1] + f',"stdout":{json.dumps(stdout)}}}'
    return 200, (answer or '{"result":null}')[:-1] + f',"stdout":{json.dumps(stdout)}}}'


def wait(child, seconds):
    """Looks after the child itself, as such services do, and after nothing that it leaves."""
    until = time.monotonic() + seconds
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return '{"error":"TimeoutError: time limit"}'
        time.sleep(0.005)
    return None


def script(request, output, writer, leave=os._exit, write=os.write, text=json.dumps):
    """Never comes back: what is at hand after the script is held here, as a script may have changed all else."""
    try:
        write(writer, (outcome(request, output, text) + "\n").encode())
    finally:
        leave(0)


def outcome(request, output, text):
    os.dup2(output, 1)
    os.dup2(os.open("stdin" if os.path.exists("stdin") else "/dev/null", os.O_RDONLY), 0)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", buffering=1, closefd=False)
    scope = {"__name__": "script"}
    try:
        exec(request["script"], scope)
        value = scope["main"](**request.get("inputs", {}))
    except Exception as error:
        return '{"error":' + text(f"{type(error).__name__}: {error}") + "}"
    return '{"result":' + json.dumps(value, separators=(",", ":")) + "}"


class Service(socketserver.ForkingMixIn, http.server.HTTPServer):
    request_queue_size = 64
    max_children = 400


def main():
    os.chdir(sys.argv[1])
    os.environ.update(HOME=sys.argv[1], TMPDIR=sys.argv[1], DATABASE_URL="postgres://user:PASSWORD@db")
    sys.executable = sys.argv[2]
    service = Service(("127.0.0.1", 0), Handler)
    os.set_inheritable(service.fileno(), True)
    if os.geteuid() == 0:
        os.chmod(".", 0o777)
        resource.setrlimit(resource.RLIMIT_NPROC, (400, 400))
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable, as processes are that never were root
    print(f"listening on {service.server_port}", file=sys.stderr, flush=True)
    service.serve_forever()


main()

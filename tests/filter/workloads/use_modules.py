"""The rest of the standard library, a use or two of each."""
import base64
import bz2
import cProfile
import configparser
import csv
import ctypes
import ctypes.util
import curses
import datetime
import decimal
import difflib
import doctest
import email.message
import email.parser
import faulthandler
import fractions
import gc
import getpass
import gettext
import grp
import hashlib
import hmac
import html
import http.client
import inspect
import io
import json
import locale
import logging
import logging.handlers
import lzma
import os
import pickle
import platform
import pstats
import pwd
import queue
import random
import readline
import secrets
import shlex
import socket
import ssl
import statistics
import string
import sys
import sysconfig
import tarfile
import threading
import timeit
import tomllib
import traceback
import tracemalloc
import unittest
import urllib.parse
import uuid
import weakref
import xml.dom.minidom
import xml.etree.ElementTree
import xml.sax.saxutils
import zipapp
import zipfile
import zlib
import zoneinfo

libc = ctypes.CDLL(None, use_errno=True)
assert libc.abs(-3) == 3 and libc.getpid() == os.getpid()
assert ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)(1) == 2
ordered = (ctypes.c_int * 3)(3, 1, 2)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
libc.qsort(ordered, 3, 4, compare(lambda a, b: a[0] - b[0]))
assert list(ordered) == [1, 2, 3]
for name in hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}:
    assert hashlib.new(name, b"x").hexdigest()
with open(__file__, "rb") as file:
    assert hashlib.file_digest(file, "sha256").hexdigest()
assert hashlib.scrypt(b"a", salt=b"b", n=16, r=8, p=1) and hashlib.pbkdf2_hmac("sha256", b"a", b"b", 10)
assert hmac.new(b"k", b"m", "sha256").digest()
data = b"data" * 10_000
for module in (lzma, bz2, zlib):
    assert module.decompress(module.compress(data)) == data
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("x", data)
with zipfile.ZipFile("a.zip") as archive:
    archive.extractall("zip")
for kind in ("gz", "bz2", "xz"):
    with tarfile.open(f"a.tar.{kind}", f"w:{kind}") as archive:
        archive.add("zip")
    with tarfile.open(f"a.tar.{kind}") as archive:
        archive.extractall(f"tar-{kind}", filter="data")
logger = logging.getLogger("x")
logger.addHandler(logging.handlers.RotatingFileHandler("log", maxBytes=300, backupCount=2))
for number in range(100):
    logger.warning("line %d", number)
assert os.path.exists("log.2")
assert decimal.Decimal(1) / 7 and fractions.Fraction(1, 3) and statistics.stdev([1, 2, 3]) == 1
assert random.random() < 1 and random.SystemRandom().randbytes(3) and secrets.token_hex(4) and os.urandom(3)
assert uuid.uuid4().version == 4 and uuid.uuid1().version == 1 and os.getrandom(3)
assert zoneinfo.ZoneInfo("Europe/Berlin").utcoffset(datetime.datetime(2024, 7, 1)).seconds == 7200
assert len(zoneinfo.available_timezones()) > 300
assert platform.platform() and platform.uname().system == "Linux" and platform.python_version() and platform.libc_ver()
locale.setlocale(locale.LC_ALL, "")
assert locale.getpreferredencoding() == "UTF-8" and gettext.gettext("a") == "a"
assert getpass.getuser() == "sandbox" and pwd.getpwall() is not None and grp.getgrall() is not None
for lookup in (lambda: pwd.getpwnam("nobody"), lambda: pwd.getpwuid(123456), lambda: grp.getgrnam("nobody")):
    try:
        lookup()
    except KeyError:
        pass
assert os.path.expanduser("~") == os.getcwd() and os.path.expanduser("~nobody")
assert os.getgroups() is not None and os.getresuid()
# The session and the group of a process can be ones of an outer PID namespace, whose number is 0 in here.
assert None not in (os.getsid(0), os.getpgid(0), os.getpgrp())
gc.collect()
thing = type("Thing", (), {})()
reference = weakref.ref(thing)
del thing
assert reference() is None
faulthandler.enable()
faulthandler.dump_traceback_later(60)
faulthandler.cancel_dump_traceback_later()
tracemalloc.start()
assert tracemalloc.take_snapshot().statistics("lineno") is not None
tracemalloc.stop()
profile = cProfile.Profile()
profile.runcall(sum, [1, 2])
pstats.Stats(profile, stream=io.StringIO()).print_stats()
assert timeit.timeit("1 + 1", number=10) > 0
case = unittest.FunctionTestCase(lambda: None)
assert unittest.TextTestRunner(stream=io.StringIO()).run(case).wasSuccessful()
assert doctest.run_docstring_examples.__module__ == "doctest"
assert pickle.loads(pickle.dumps({"a": 1})) == {"a": 1} and json.loads(json.dumps([1])) == [1]
csv.writer(open("c.csv", "w")).writerow([1, 2])
assert xml.etree.ElementTree.fromstring("<a><b/></a>")[0].tag == "b" and xml.dom.minidom.parseString("<a/>")
assert html.unescape("&lt;") == "<" and email.message.EmailMessage() is not None and tomllib.loads("a = 1")
assert "linux" in sysconfig.get_platform() and inspect.getsource(inspect.getsource) and sys.getallocatedblocks()
assert http.client.HTTPConnection("localhost") and ssl.create_default_context() and curses.version and readline.backend
curses.setupterm("xterm-256color", os.open("c.csv", os.O_WRONLY))
assert curses.tigetnum("colors") == 256
assert socket.gethostname() and socket.getaddrinfo("127.0.0.1", 80)
left, right = socket.socketpair()
left.settimeout(5)
left.sendall(b"x" * 1000)
assert len(right.recv(2000)) == 1000 and right.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
assert socket.socket(fileno=left.detach()).family == socket.AF_UNIX
right.shutdown(socket.SHUT_RDWR)
for attempt in (lambda: socket.socket(), lambda: socket.create_connection(("127.0.0.1", 1)), lambda: socket.socket(socket.AF_UNIX)):
    try:
        attempt()
    except PermissionError:
        continue
    raise AssertionError("a socket could be made")
try:
    socket.getaddrinfo("example.org", 80)
except socket.gaierror:
    pass
else:
    raise AssertionError
print(ctypes.util.find_library("c"))

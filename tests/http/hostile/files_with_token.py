"""Answers in its own name, and says what it likes of the files that it has left."""
import itertools

FORGED = b'"forged"'

# Bytes that an answer may have of files, and how many of them.
MAX_BYTES, MAX_FILES, MAX_NAMED = 8 << 20, 64, 64


def sent(*names, content=b"x", count=0):
    return omitted(count) + b"".join(entry(name, content) for name in names)


def half_a_million(kind):
    """As many names, all different, as there is room for."""
    letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
    names = map(bytes, itertools.islice(itertools.product(letters, repeat=4), MAX_BYTES // 17))
    return omitted(1 << 30) + b"".join(entry(name, b"", kind=kind) for name in names)


def announce(size):
    return omitted(0) + struct.pack("<BIQ", 0, 1, size) + b"a"


NUMBERED = [b"%d" % number for number in range(MAX_FILES + 1)]

FILES = {
    "one": lambda: sent(b"a/b"),
    "none": lambda: b"",
    "as many as may be": lambda: sent(*NUMBERED[:-1]),
    "as much as may be": lambda: sent(b"a", content=b"x" * MAX_BYTES),
    "parent": lambda: sent(b"../x"),
    "parent in the middle": lambda: sent(b"a/../../x"),
    "parent at the end": lambda: sent(b"a/.."),
    "here": lambda: sent(b"./x"),
    "absolute": lambda: sent(b"/etc/passwd"),
    "slash at the end": lambda: sent(b"a/"),
    "two slashes": lambda: sent(b"a//b"),
    "backslash": lambda: sent(b"..\\x"),
    "no name": lambda: sent(b""),
    "NUL": lambda: sent(b"a\0b"),
    "line break": lambda: sent(b"a\nb"),
    "escape": lambda: sent(b"\x1b[2J"),
    "control of the second kind": lambda: sent("\x85".encode()),
    "not UTF-8": lambda: sent(b"\xff"),
    "long component": lambda: sent(b"x" * 256),
    "long name": lambda: sent(b"/".join([b"x" * 200] * 6)),
    "twice": lambda: sent(b"a", b"a"),
    "one too many": lambda: sent(*NUMBERED),
    "one byte too much": lambda: sent(b"a", b"b", content=b"x" * (MAX_BYTES // 2 + 1)),
    "half a million": lambda: half_a_million(0),
    "half a million omitted": lambda: half_a_million(1),
    "larger than it is": lambda: omitted(0) + entry(b"a", b"x", size=2),
    "smaller than it is": lambda: omitted(0) + entry(b"a", b"xx", size=1),
    "largest size": lambda: announce((1 << 64) - 1),
    "4 GiB": lambda: announce(1 << 32),
    "longest name": lambda: omitted(0) + struct.pack("<BIQ", 0, (1 << 32) - 1, 1) + b"a",
    "unknown kind": lambda: omitted(1) + entry(b"a", b"", kind=7),
    "last kind": lambda: omitted(1) + entry(b"a", b"", kind=255),
    "fewer than are named": lambda: omitted(1) + entry(b"a", b"", kind=1) * 2,
    "more than may be named": lambda: omitted(MAX_NAMED + 1) + entry(b"a", b"", kind=1) * (MAX_NAMED + 1),
    "omitted with a content": lambda: omitted(1) + entry(b"a", b"x", size=0, kind=1),
    "largest figures": lambda: omitted(0xFFFFFFFF) + entry(b"a", b"", size=(1 << 64) - 1, kind=2),
    "long omitted name": lambda: omitted(1) + entry(b"x" * MAX_BYTES, b"", kind=1),
    "half a count": lambda: b"\0\0",
    "half an entry": lambda: sent(b"a")[:-3],
    "rubbish behind": lambda: sent(b"a") + b"\0",
    "rubbish": lambda: b"\xff" * 1000,
}


def forge(way, token, channel):
    if way in FILES:
        send(frame(token, b"R", FORGED, files=FILES[way]()), channel)
    elif way == "announces 4 GiB":
        send(token + b"R" + struct.pack("<II", 0, 0xFFFFFFFF), channel)
    elif way == "two":
        send(frame(token, b"R", FORGED, files=sent(b"a")) * 2, channel)
    elif way == "begun and endless":
        send(token + b"R" + struct.pack("<II", len(FORGED), MAX_BYTES) + FORGED, channel)
        endless(b"\0" * 65537, channel)
    elif way == "looked at":
        send(frame(token, b"K", b'{"ok":true,"imports":[],"problems":[]}'), channel)


def main(way):
    return with_token(lambda token, channel: forge(way, token, channel))

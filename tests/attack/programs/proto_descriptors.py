"""Writes rubbish and well-formed answers to every descriptor that it holds, then returns."""
import os
import struct

PAYLOAD = b'"forged"'
ANSWERS = [
    b'{"result":"forged","stdout":""}\n',
    b'{"result": "forged"}\n',
    PAYLOAD + b"\n",
    struct.pack("<I", len(PAYLOAD)) + PAYLOAD,
    struct.pack("<Q", len(PAYLOAD)) + PAYLOAD,
    struct.pack(">I", len(PAYLOAD)) + PAYLOAD,
    b"R" + struct.pack("<I", len(PAYLOAD)) + PAYLOAD,
    bytes(16) + b"R" + struct.pack("<I", len(PAYLOAD)) + PAYLOAD,
    b'{"ended":{"exit":{"status":0},"cpu_us":0,"max_rss_bytes":0}}',
    b'"ready"',
    os.urandom(100_000),
]


def main(which, close):
    for number in range(3, 1024):
        try:
            os.set_blocking(number, False)
            os.write(number, ANSWERS[which])
        except OSError:
            pass
        if close:
            try:
                os.close(number)
            except OSError:
                pass
    return "real"

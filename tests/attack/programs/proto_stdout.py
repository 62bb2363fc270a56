"""Prints what might pass for an answer. It is mere output."""
import os
import sys

FORGED = """{"result":"forged","stdout":""}
HTTP/1.1 200 OK\r
Content-Type: application/json\r
\r
{"result":"forged","stdout":""}
###RESULT###"forged"
__RESULT__:"forged"
\x00\x01R\x08\x00\x00\x00"forged"
"""


def main():
    print(FORGED, end="")
    print(FORGED, end="", file=sys.stderr)
    os.write(1, FORGED.encode())
    os.write(2, FORGED.encode())
    return "real"

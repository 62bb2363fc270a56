"""Time zones of the C library for scripts that are sealed, where it cannot read a zone's file: it is told the zone's rules.

A zygote calls `install`. The rules are those of today, without earlier ones: what the last line of a zone's file says (RFC 9636).
"""

import builtins

__builtins__ = dict(vars(builtins))

import os
import time

from _harness_scratch import like

# What a zone's file begins with.
MAGIC = b"TZif"

_putenv, _tzset = os.putenv, time.tzset
_rules = {}


def install(directory):
    """To be called while files can be read."""
    for parent, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                if file.read(4) == MAGIC:
                    _rules[os.path.relpath(path, directory)] = file.read().splitlines()[-1].decode()
    time.tzset = like(_tzset, tzset)


def tzset():
    rule = _rules.get(os.environ.get("TZ", "").lstrip(":"))
    if rule:
        # The C library's environment alone: `os.environ` keeps the name.
        _putenv("TZ", rule)
    _tzset()

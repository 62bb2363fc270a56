"""How many instances, and what they cost: main.py [--write docs/SCALING.md]

Checks the models against closed forms, simulates the scenarios, and prints the tables that docs/SCALING.md has between
its two markers; with --write it puts them there. The same parameters make the same tables.
"""

import sys
from pathlib import Path

import checks
import tables

BEGIN, END = "<!-- make scaling -->\n", "<!-- end -->\n"


def main(arguments):
    if arguments and (len(arguments) != 2 or arguments[0] != "--write"):
        sys.exit(__doc__)
    text = "\n".join(tables.all_tables(checks.check()))
    if arguments:
        write(Path(arguments[1]), text)
    print(text, end="")


def write(path, text):
    document = path.read_text()
    before, rest = document.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + text + END + after)


main(sys.argv[1:])

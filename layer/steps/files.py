"""Says what a tree consists of, and whether a tree still does: files.py list TREE | check [--no-links] TREE LIST.

The list names each file, directory and link with its mode, and each file with its size and SHA-256, in the form of
mtree(5), which other programs read too. `check` names each difference, and ends with 1 if there is any; with --no-links
the tree may lack its links and the directories without files, as it does on Lambda. It needs nothing but Python, so it can be run wherever a tree lies.
"""

import hashlib
import os
import re
import stat
import sys

SHOWN = 40


def entries(tree):
    """What is there, by path; links are never followed."""
    yield ".", describe(tree)
    for directory, names, files in os.walk(tree, onerror=refuse):
        for name in names + files:
            path = os.path.join(directory, name)
            yield "./" + os.path.relpath(path, tree), describe(path)


def refuse(error):
    raise error


def describe(path):
    status = os.lstat(path)
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    if stat.S_ISLNK(status.st_mode):
        return {"type": "link", "link": escape(os.readlink(path))}
    if stat.S_ISDIR(status.st_mode):
        return {"type": "dir", "mode": mode}
    if not stat.S_ISREG(status.st_mode):
        return {"type": "special", "mode": mode}
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"type": "file", "mode": mode, "size": str(status.st_size), "sha256digest": digest}


def escape(text):
    """As mtree(5) writes what could be taken for something else."""
    plain = re.compile(rb"[!-~]").fullmatch
    special = b"\\#*?[="
    characters = (bytes([byte]) for byte in os.fsencode(text))
    return "".join(c.decode() if plain(c) and c not in special else f"\\{c[0]:03o}" for c in characters)


def written(tree):
    lines = (
        " ".join([escape(path), *(f"{key}={value}" for key, value in what.items())])
        for path, what in sorted(entries(tree))
    )
    return "#mtree\n" + "".join(f"{line}\n" for line in lines)


def read(text):
    lines = (line.split(" ") for line in text.splitlines() if not line.startswith("#"))
    return {path: dict(word.split("=", 1) for word in words) for path, *words in lines}


def differences(expected, found):
    for path in sorted({*expected, *found}):
        if path not in found:
            yield f"{path}: missing"
        elif path not in expected:
            yield f"{path}: not in the list"
        else:
            was, now = expected[path], found[path]
            for key in sorted({*was, *now}):
                if was.get(key) != now.get(key):
                    yield f"{path}: {key} is {now.get(key, 'none')}, not {was.get(key, 'none')}"


def without_what_archives_lack(expected, found):
    files = {path for path, what in expected.items() if what["type"] not in ("link", "dir")}
    above = {os.path.dirname(path) for path in files}
    while parents := {os.path.dirname(path) for path in above} - above:
        above |= parents
    return {path: what for path, what in expected.items() if path in found or path in above or path in files}


def check(tree, list_, no_links=False):
    with open(list_, "rb") as file:
        text = file.read()
    expected = read(text.decode())
    found = read(written(tree))
    if no_links:
        expected = without_what_archives_lack(expected, found)
    faults = list(differences(expected, found))
    for fault in faults[:SHOWN]:
        print(fault)
    if len(faults) > SHOWN:
        print(f"and {len(faults) - SHOWN} more")
    count = f"{len(faults)} difference{'s' if len(faults) > 1 else ''} from"
    verdict = count if faults else f"{len(found)} files, directories and links are those of"
    print(f"{tree}: {verdict} {list_} (SHA-256 {hashlib.sha256(text).hexdigest()})")
    return 1 if faults else 0


def main(arguments):
    match arguments:
        case ["list", tree]:
            sys.stdout.write(written(tree))
            return 0
        case ["check", tree, list_]:
            return check(tree, list_)
        case ["check", "--no-links", tree, list_]:
            return check(tree, list_, no_links=True)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        sys.exit(f"files.py: {error}")

"""Turns the links of an unpacked tree into files: links.py ROOT.

A shared library keeps the one name by which it is loaded; any other link becomes a copy, which for time zones and
terminals is small. Tools that make a zip follow links, and would store each library several times. The dynamic
loader keeps the link by which the kernel finds it.
"""

import os
import shutil
import sys
from pathlib import Path

import elf


def target_of(link):
    """The file that a link leads to; none if it is one that only an installation would make."""
    return None if os.path.isabs(os.readlink(link)) else link.resolve(strict=True)


def is_soname(link, target):
    file = target and elf.read(target)
    return bool(file) and file.soname == link.name


def settle(link, target):
    link.unlink()
    if target is None:
        return
    if is_soname(link, target):
        target.rename(link)
    elif elf.read(target) is None:
        shutil.copy2(target, link)


def main(root):
    links = [path for path in Path(root).rglob("*") if path.is_symlink() and not path.name.startswith("ld-linux-")]
    targets = {link: target_of(link) for link in links}
    # The link with the soname takes the file away: it comes after the other links to it.
    for link in sorted(links, key=lambda link: is_soname(link, targets[link])):
        settle(link, targets[link])


main(*sys.argv[1:])

"""The versions of other libraries' symbols that an ELF file needs, each in a line: versions.py FILE."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "layer/steps"))

import elf  # noqa: E402

print(*sorted(elf.read(Path(sys.argv[1])).versions()), sep="\n")

"""Where the SDK of AWS is: among the tools, since sam is built on it."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = PROJECT / "target/tools"

sys.path.insert(0, str(TOOLS / "python"))

"""In place, Python starts by its own loader only: the executable that its children are started with is a script."""
import os
import sys

sys.executable = os.environ["PYTHON_IN_PLACE"]

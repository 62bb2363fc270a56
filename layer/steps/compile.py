"""Compiles all Python sources below directories, for a tree that will be the root: compile.py ROOT DIRECTORY...

The same sources make the same bytecode, which depends on more than them: on the hash seed (PYTHONHASHSEED), on which strings
the process knows already, and so on how its own modules were compiled. So this has to be started with -B and with a
PYTHONPYCACHEPREFIX that leads nowhere, and then compiles these each time; all is done in one process, in one order.
"""

import compileall
import gc
import os
import sys
from py_compile import PycInvalidationMode


def main(root, directories):
    if not sys.dont_write_bytecode or not sys.pycache_prefix or os.path.exists(sys.pycache_prefix):
        sys.exit(__doc__)
    # What is compiled here goes beside its source, as ever.
    sys.pycache_prefix = None
    # Strings live as long as the process, whenever it would have collected them.
    gc.disable()
    compiled = [
        compileall.compile_dir(
            directory,
            quiet=1,
            stripdir=root,
            prependdir="/",
            optimize=0,
            # The tree never changes, and comparing bytecode with its source would cost time.
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
        for directory in directories
    ]
    return 0 if all(compiled) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

"""Writes matplotlib's font list for the runtime: fontlist.py PACKAGES DIRECTORY.

Without it the first import of matplotlib.pyplot reads every font. Only the fonts that come with matplotlib
are listed, by paths relative to its data; fonts of the build machine are not.
"""

import os
import sys
import tempfile
from pathlib import Path


def main(packages, directory):
    sys.path.insert(0, packages)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["MPLCONFIGDIR"] = scratch
        from matplotlib import font_manager

        find_in = font_manager.findSystemFonts
        font_manager.findSystemFonts = lambda fontpaths=None, fontext="ttf": (
            find_in(fontpaths, fontext) if fontpaths else []
        )
        name = f"fontlist-v{font_manager.FontManager.__version__}.json"
        manager = font_manager.FontManager()
        # They come in the order of a set. Of fonts that fit equally well matplotlib takes the first.
        for entries in (manager.ttflist, manager.afmlist):
            entries.sort(key=lambda entry: entry.fname)
        font_manager.json_dump(manager, Path(directory, name))


main(*sys.argv[1:])

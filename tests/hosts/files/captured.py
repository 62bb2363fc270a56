"""Reads and writes by modules that were imported, with all that they took from `os` and `io`, before the script came."""
import glob
import io
import json
import logging
import os
import pathlib
import shutil
import sys
import tempfile

import matplotlib
import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

MODULES = """
    io builtins codecs tempfile shutil glob logging pathlib._local genericpath posixpath linecache tokenize zipfile
    pandas.io.common pandas.io.pickle numpy.lib._npyio_impl numpy.lib._datasource numpy.lib.format
    matplotlib matplotlib.cbook matplotlib.image PIL.Image PIL.ImageFile
""".split()


def functions():
    """Whatever a loaded module calls `open` opens files of the script's."""
    write("file", "content")
    said = {}
    for name in MODULES:
        held = vars(sys.modules[name])
        if callable(held.get("open")) and held["open"].__name__ == "open":
            said[f"{name}.open"] = attempt(held["open"], "file", "rb")
        for os_name in {"os", "_os"} & held.keys():
            said[f"{name}.{os_name}"] = held[os_name].stat("file").st_size
    return said


def defaults():
    """Functions that stand in the defaults of others' arguments."""
    with tempfile.NamedTemporaryFile(dir=".") as file:
        name = file.name
    shutil.copytree(".", "../copy-of-defaults", copy_function=shutil.copy)
    write("d/x")
    return os.path.exists(name), shutil.rmtree("d"), shutil.rmtree("../copy-of-defaults"), tree()


def numpy():
    np.save("a", np.ones(3))
    np.savetxt("t.gz", np.ones(3))
    with np.lib.npyio.DataSource(".").open("t.gz", "rt") as file:
        return np.load("a.npy").tolist(), np.loadtxt("t.gz").tolist(), file.readline()


def pandas():
    frame = pd.DataFrame({"a": [1, 2]})
    frame.to_csv("t.csv", index=False)
    frame.to_pickle("t.pkl.xz")
    return pd.read_csv("t.csv")["a"].tolist(), pd.read_pickle("t.pkl.xz")["a"].tolist()


def matplotlib_saves():
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([1, 2])
    axes.set_title("$x^2$ ü")
    said = []
    for name in ("f.png", "f.svg", "f.pdf", "f.jpg"):
        figure.savefig(name, metadata={} if name == "f.png" else None)
        said += [os.path.getsize(name) > 500, read(name)[:4]]
    with open("g.png", "wb") as file:
        figure.savefig(file)
    plt.close(figure)
    plt.imsave("i.png", np.zeros((2, 3)))
    return *said, read("g.png")[:4], plt.imread("i.png").shape, matplotlib.image.imread("f.png").shape, attempt(plt.imread, "missing.png")


def pillow():
    image = Image.new("RGB", (4, 3), "red")
    said = []
    for suffix in ("png", "jpg", "bmp", "gif", "ppm", "tiff", "webp"):
        image.save(f"i.{suffix}")
        with Image.open(f"i.{suffix}") as opened:
            opened.load()
            said += [opened.size, opened.format, opened.filename]
    with open("j.png", "wb") as file:
        image.save(file, "PNG")
    with open("j.png", "rb") as file:
        said += [Image.open(file).getpixel((0, 0)), Image.open(pathlib.Path("j.png")).size]
    return *said, attempt(Image.open, "missing.png"), attempt(image.save, "no/x.png")


def standard_library():
    """Modules that are preloaded."""
    handler = logging.FileHandler("log")
    logger = logging.getLogger("captured")
    logger.addHandler(handler)
    logger.error("written")
    logger.removeHandler(handler)
    handler.close()
    pathlib.Path("p").write_text(json.dumps([1]))
    return read("log"), json.loads(io.open("p").read()), sorted(glob.glob("*")), shutil.copy("p", "q"), tempfile.gettempdir()


def main():
    return observe(functions, defaults, numpy, pandas, matplotlib_saves, pillow, standard_library)

"""Saves and loads with numpy and pandas."""
import io
import os
import pathlib
import tempfile
import zipfile

import numpy as np
import pandas as pd


def arrays():
    numbers = np.arange(12.0).reshape(3, 4)
    np.save("a.npy", numbers)
    np.save(pathlib.Path("b"), numbers > 3)
    np.save("c.npy", np.array([{"a": 1}], dtype=object))
    said = [np.load("a.npy").tolist(), np.load("b.npy").dtype.name, np.load("c.npy", allow_pickle=True)[0], read("a.npy")[:6]]
    said += [attempt(np.load, "c.npy")[0], attempt(np.load, "missing.npy"), attempt(np.save, "missing/x.npy", numbers)]
    with open("two.npy", "wb") as file:
        np.save(file, numbers)
        np.save(file, numbers[0])
    with open("two.npy", "rb") as file:
        said += [np.load(file).shape, np.load(file).tolist()]
    with tempfile.TemporaryFile() as file:
        np.save(file, np.arange(100_000))
        file.seek(0)
        said += [int(np.load(file).sum())]
    np.save("order.npy", np.asfortranarray(numbers))
    return *said, np.load("order.npy").tolist()


def several_arrays():
    numbers = np.arange(6).reshape(2, 3)
    said = []
    for save in (np.savez, np.savez_compressed):
        save("a.npz", numbers, named=numbers * 2)
        with np.load("a.npz") as loaded:
            said += [sorted(loaded.files), loaded["named"].tolist(), loaded["arr_0"].tolist(), zipfile.ZipFile("a.npz").testzip()]
    with open("b.npz", "wb") as file:
        np.savez(file, x=numbers)
    return *said, np.load("b.npz")["x"].tolist(), attempt(lambda: np.load("b.npz")["y"])


def numbers_as_text():
    numbers = np.array([[1.5, 2.25], [3.0, 4.0]])
    said = []
    for name in ("t.txt", "t.txt.gz", "t.txt.bz2", "t.txt.xz"):
        np.savetxt(name, numbers, delimiter=",", header="x,y", fmt="%.2f")
        said += [np.loadtxt(name, delimiter=",").tolist(), np.genfromtxt(name, delimiter=",", names=True)["y"].tolist()]
    with open("t.txt", "a") as file:
        np.savetxt(file, numbers[:1], delimiter=",")
    return *said, read("t.txt"), np.loadtxt(open("t.txt"), delimiter=",").shape


def frame():
    dates = pd.date_range("2020-01-01", periods=3)
    return pd.DataFrame({"n": [1, 2, 3], "x": [0.5, None, 2.5], "text": ["a", 'b,"c"', "ü"], "date": dates})


def separated():
    table = frame()
    said = []
    for suffix in ("csv", "csv.gz", "csv.bz2", "csv.xz", "csv.zip", "csv.tar", "csv.tar.gz"):
        name = f"t.{suffix}"
        said += [table.to_csv(name, index=False), pd.read_csv(name, parse_dates=["date"]).equals(table), os.path.getsize(name) > 0]
    said += [read("t.csv"), table.to_csv("t.csv", mode="a", header=False, index=False), len(pd.read_csv(pathlib.Path("t.csv")))]
    for engine in ("c", "python"):
        said += [pd.read_csv("t.csv", engine=engine).to_dict("list"), len(list(pd.read_csv("t.csv", engine=engine, chunksize=2)))]
    table.to_csv("utf16.csv", index=False, encoding="utf-16", sep=";")
    said += [pd.read_csv("utf16.csv", encoding="utf-16", sep=";")["text"].tolist(), attempt(pd.read_csv, "missing.csv")]
    with open("t.csv") as file, open("t.csv", "rb") as binary:
        said += [len(pd.read_csv(file)), len(pd.read_csv(binary)), pd.read_csv("t.csv", usecols=["n"], nrows=2)["n"].tolist()]
    with open("u.csv", "w") as file:
        table.to_csv(file)
    said += [attempt(table.to_csv, "missing/x.csv"), pd.read_csv("u.csv", index_col=0).shape, pd.read_table("u.csv", sep=",").shape]
    write("latin.csv", "a\nü\n".encode("latin-1"))
    return *said, attempt(pd.read_csv, "latin.csv"), pd.read_csv("latin.csv", encoding="latin-1")["a"].tolist()


def other_formats():
    table = frame()
    said = []
    for suffix in ("", ".gz", ".bz2", ".xz", ".zip"):
        table.to_json(f"t.json{suffix}", orient="records", date_format="iso")
        table.to_pickle(f"t.pkl{suffix}")
        said += [pd.read_json(f"t.json{suffix}")["text"].tolist(), pd.read_pickle(f"t.pkl{suffix}").equals(table)]
    table.to_json("t.jsonl", orient="records", lines=True)
    said += [len(pd.read_json("t.jsonl", lines=True)), len(list(pd.read_json("t.jsonl", lines=True, chunksize=2)))]
    said += [table.to_html("t.html"), table.to_string("t.txt"), read("t.txt"), pd.read_fwf("t.txt").shape]
    said += [table.to_stata("t.dta", write_index=False), pd.read_stata("t.dta")["n"].tolist()]
    said += [attempt(pd.read_json, "missing.json"), attempt(pd.read_pickle, "missing.pkl")]
    text = io.StringIO()
    return *said, table.info(buf=text), len(text.getvalue()) > 0


def main():
    return observe(arrays, several_arrays, numbers_as_text, separated, other_formats)

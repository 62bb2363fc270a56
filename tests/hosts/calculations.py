"""Calculates, with modules that are imported when they are used, as many scripts do. Answers for each whether it works."""


def numpy_basics():
    import numpy as np

    matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    return bool(np.allclose(np.linalg.inv(matrix) @ matrix, np.eye(2))) and np.percentile([1, 2, 3], 50) == 2


def numpy_random():
    import numpy as np

    return np.random.default_rng(1).normal(size=10).shape == (10,) and np.random.rand(3).shape == (3,)


def numpy_fft():
    import numpy as np

    polynomial = np.polynomial.Polynomial([1, 2])
    return abs(np.fft.fft([1, 0, 0])[0]) == 1 and polynomial(2) == 5 and np.ma.masked_array([1, 2], [0, 1]).sum() == 1


def numpy_text():
    import io

    import numpy as np

    return np.loadtxt(io.StringIO("1 2\n3 4")).sum() == 10 and "1." in repr(np.ones(2)) and np.char.upper("a") == "A"


def frame():
    import pandas as pd

    return pd.DataFrame({"k": ["a", "b", "a"], "n": [1, 2, 3], "t": pd.date_range("2024-01-01", periods=3)})


def pandas_csv():
    import io

    import pandas as pd

    text = frame().to_csv(index=False)
    back = pd.read_csv(io.StringIO(text), parse_dates=["t"])
    python = pd.read_csv(io.StringIO("a;b\n1;2"), sep=None, engine="python")
    return back.equals(frame()) and list(python.columns) == ["a", "b"]


def pandas_json():
    import io

    import pandas as pd

    return len(pd.read_json(io.StringIO(frame().to_json()))) == 3 and "records" != frame().to_json(orient="records")


def pandas_describe():
    return float(frame().describe()["n"]["mean"]) == 2.0 and len(frame().describe(include="all")) > 8


def pandas_groupby():
    grouped = frame().groupby("k")["n"]
    return grouped.sum().to_dict() == {"a": 4, "b": 2} and grouped.agg(["mean", "max"]).shape == (2, 2)


def pandas_apply():
    import pandas as pd

    applied = frame().groupby("k")[["n"]].apply(lambda part: part["n"].max())
    return applied["a"] == 3 and frame()["n"].rolling(2).mean().iloc[1] == 1.5 and pd.concat([frame(), frame()]).shape == (6, 3)


def pandas_merge():
    import pandas as pd

    other = pd.DataFrame({"k": ["a", "b"], "v": [10, 20]})
    pivoted = frame().pivot_table(index="k", values="n", aggfunc="sum")
    return frame().merge(other, on="k")["v"].sum() == 40 and pivoted.loc["a", "n"] == 4 and len(pd.melt(other)) == 4


def pandas_times():
    import pandas as pd

    stamps = pd.to_datetime(["2024-01-31", "2024-02-29"])
    mixed = pd.to_datetime(pd.Series(["01.02.2024"]), format="%d.%m.%Y")
    guessed = pd.to_datetime("March 5, 2024 10:00")
    zone = pd.Timestamp("2024-07-01", tz="UTC")
    later = stamps + pd.offsets.MonthEnd(1)
    resampled = frame().set_index("t")["n"].resample("2D").sum()
    return (later[0].month, mixed[0].month, guessed.month, zone.hour, len(resampled)) == (2, 2, 3, 0, 2)


def pandas_ranges():
    import pandas as pd

    counts = [len(pd.date_range("2024-01-01", "2024-03-31", freq=freq)) for freq in ("D", "W", "ME", "QE", "B")]
    return counts == [91, 13, 3, 1, 65] and len(pd.period_range("2024-01", periods=3, freq="M")) == 3


def pandas_text():
    import pandas as pd

    texts = [repr(frame()), frame().to_string(), frame().to_html(), str(frame()["n"]), frame()._repr_html_()]
    upper = frame()["k"].str.upper().str.contains("A", regex=True).sum()
    return all(texts) and upper == 2 and str(pd.NA) == "<NA>" and "int64" in str(frame().dtypes)


def pandas_more():
    import pandas as pd

    kinds = frame()["k"].astype("category").cat.codes.tolist()
    cut = pd.cut(frame()["n"], 2, labels=["low", "high"]).tolist()
    return kinds == [0, 1, 0] and cut == ["low", "low", "high"] and frame().query("n > 1").shape[0] == 2 and \
        frame().eval("n + 1").sum() == 9 and pd.get_dummies(frame()["k"]).shape == (3, 2) and \
        frame()[["n"]].corr().iloc[0, 0] == 1 and frame().sort_values("n", ascending=False)["n"].iloc[0] == 3 and \
        pd.Series([1, None]).interpolate().iloc[1] == 1 and pd.json_normalize([{"a": {"b": 1}}]).columns[0] == "a.b" and \
        frame().describe().T.shape[0] == 2 and frame().memory_usage(deep=True).sum() > 0 and frame().info(buf=__import__("io").StringIO()) is None


def dates():
    from datetime import datetime, timedelta

    parsed = datetime.strptime("3 March 2024", "%d %B %Y")
    return (parsed + timedelta(days=1)).strftime("%A") == "Monday" and datetime.fromisoformat("2024-01-01").year == 2024


def texts():
    import json
    import re
    import string
    import textwrap

    return json.loads(json.dumps({"a": [1, None]}))["a"][0] == 1 and re.sub(r"(?P<x>\d)", r"<\g<x>>", "a1") == "a<1>" and \
        textwrap.fill("a b", 1) == "a\nb" and string.capwords("a b") == "A B"


def numbers():
    import decimal
    import fractions
    import statistics

    return decimal.Decimal("0.1") + decimal.Decimal("0.2") == decimal.Decimal("0.3") and \
        statistics.quantiles([1, 2, 3, 4])[1] == 2.5 and fractions.Fraction(1, 3) * 3 == 1


def codecs_and_errors():
    import codecs

    names = ["utf-16-le", "utf-16", "utf-32-be", "latin-1", "cp1252", "cp437", "iso8859-15", "utf-7", "utf-8-sig", "unicode_escape", "idna"]
    try:
        undefined_name  # noqa
    except NameError as error:
        import traceback

        suggestion = "".join(traceback.format_exception(error))
    return all("ab".encode(name) for name in names) and codecs.encode("a", "rot13") == "n" and \
        codecs.encode(b"a", "hex") == b"61" and "undefined_name" in suggestion and "\N{BULLET}" == "\u2022"


def rows():
    import csv
    import io

    target = io.StringIO()
    csv.DictWriter(target, ["a"]).writerows([{"a": 1}])
    return target.getvalue() == "1\r\n" and next(csv.reader(["x,y"])) == ["x", "y"] and csv.Sniffer().sniff("a;b\n1;2").delimiter == ";"


def collections_and_tools():
    import bisect
    import collections
    import copy
    import dataclasses
    import enum
    import functools
    import heapq
    import itertools
    import operator
    import typing

    point = dataclasses.make_dataclass("Point", ["x"])(1)
    return collections.Counter("aab").most_common(1) == [("a", 2)] and bisect.bisect([1, 3], 2) == 1 and \
        copy.deepcopy(point).x == 1 and enum.Enum("Kind", "A").A.value == 1 and heapq.nsmallest(1, [2, 1]) == [1] and \
        functools.reduce(operator.add, itertools.chain([1], [2])) == 3 and typing.get_origin(list[int]) is list


def loops():
    import asyncio

    async def both():
        return await asyncio.gather(asyncio.sleep(0.001, 1), asyncio.wait_for(asyncio.sleep(0, 2), 5))

    return asyncio.run(both()) == [1, 2]


def chance_and_digests():
    import base64
    import hashlib
    import hmac
    import random
    import secrets
    import uuid
    import zlib

    return 0 <= random.random() < 1 and len(secrets.token_hex(4)) == 8 and uuid.uuid4().version == 4 and \
        hashlib.sha256(b"").hexdigest()[:4] == "e3b0" and len(hmac.new(b"k", b"m", "sha256").digest()) == 32 and \
        base64.b64decode(base64.b64encode(b"x")) == b"x" and zlib.decompress(zlib.compress(b"x")) == b"x" and \
        hashlib.md5(b"").hexdigest()[:2] == "d4" and random.sample(range(3), 3)


def errors():
    import contextlib
    import io
    import logging
    import traceback
    import warnings

    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        warnings.warn("x")
        logging.getLogger("x").debug("y")
        try:
            raise ValueError("z")
        except ValueError:
            return "ValueError: z" in traceback.format_exc() and len(caught) == 1


def addresses():
    import html
    import urllib.parse
    import xml.etree.ElementTree as tree

    return urllib.parse.urlsplit("http://a/b?c=1").query == "c=1" and html.escape("<") == "&lt;" and tree.fromstring("<a b='1'/>").get("b") == "1"


USES = [numpy_basics, numpy_random, numpy_fft, numpy_text, pandas_csv, pandas_json, pandas_describe, pandas_groupby, pandas_apply,
        pandas_merge, pandas_times, pandas_ranges, pandas_text, pandas_more, dates, texts, numbers, codecs_and_errors, rows, collections_and_tools, loops,
        chance_and_digests, errors, addresses]


def answer(use):
    try:
        return "works" if use() else "a wrong result"
    except BaseException as error:
        names, cause = [], error
        while cause is not None:
            names.append(f"{type(cause).__name__}: {cause}")
            cause = cause.__cause__ or cause.__context__
        return " <- ".join(names)


def main():
    return {use.__name__: answer(use) for use in USES}

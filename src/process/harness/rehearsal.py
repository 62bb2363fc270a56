"""What is done before a job has come, so that Python has made what it makes when something is done for the first time."""

# How often a zygote rehearses: until Python does not change its code any more (PEP 659).
ROUNDS = 6

# What a zygote does before it forks, so that Python has made what it makes when something is done for the first time.
FULL_REHEARSAL = """
import json
import math
import re


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def length(self):
        return math.hypot(self.x, self.y)


def main(number):
    points = [Point(index, index * 1.5) for index in range(number)]
    words = {f"word {index}": [index, str(index), None, True, 0.5] for index in range(number)}
    try:
        raise ValueError("rehearsal")
    except ValueError as error:
        print(error, number, sep=" ")
    total = sum(point.length() for point in points)
    text = re.sub("[0-9]+", "n", ", ".join(sorted(words)))
    print(f"{total:.3f} {text!r}")
    more()
    return {"total": total, "words": words, "text": json.loads(json.dumps(text))}


def more():
    pass
"""

# The same with pandas.
FULL_PANDAS_REHEARSAL = """
import numpy as np
import pandas as pd


def more():
    series = pd.Series(np.arange(4.0)) * 2 + 0.5
    frame = pd.DataFrame({"a": series, "b": ["x", "y", "x", "y"]})
    frame["c"] = frame["a"] * 2
    print(series.sum(), series.mean(), frame.shape, np.array([[1, 2], [3, 4]]).dot([1, 2]))
    frame[frame["a"] > 1].to_dict()
"""

# What a worker does while it waits for its job, which must be little, because it takes a processor.
REHEARSAL = """
def main(number):
    print("rehearsal")
    more()
    return [number]


def more():
    pass
"""

PANDAS_REHEARSAL = """
import numpy as np
import pandas as pd


def more():
    return (pd.Series(np.arange(3.0)) * 2).sum()
"""


def of_zygote(has_pandas):
    return FULL_REHEARSAL + FULL_PANDAS_REHEARSAL if has_pandas else FULL_REHEARSAL


def of_worker(has_pandas):
    return REHEARSAL + PANDAS_REHEARSAL if has_pandas else REHEARSAL

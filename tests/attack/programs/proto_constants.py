"""Returns numbers that JSON does not have, at every depth and behind a changed encoder."""
import json


def main(way):
    nan, infinity = float("nan"), float("inf")
    json.encoder.FLOAT_REPR = json.encoder.float.__repr__ if hasattr(json.encoder, "float") else None
    return {
        "nan": nan,
        "infinity": infinity,
        "minus": -infinity,
        "list": [1, [nan]],
        "dict": {"a": {"b": infinity}},
        "key": {nan: 1},
        "subclass": type("F", (float,), {"__repr__": lambda self: "NaN"})(1.5),
    }[way]

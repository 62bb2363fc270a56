"""Returns what is nested deeper than programs like it."""


def main(way, levels):
    value = []
    for _ in range(levels):
        value = {"a": value} if way == "dict" else [value]
    return value

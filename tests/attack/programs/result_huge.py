"""Returns far too much."""


def main(way, megabytes=50):
    return {
        "text": lambda: "x" * (megabytes << 20),
        "list": lambda: [0] * (megabytes << 19),
        "growing": lambda: "\x01" * (megabytes << 18),
        "shared": lambda: nested(22),
    }[way]()


def nested(levels):
    """Small in memory, huge as text."""
    value = "x"
    for _ in range(levels):
        value = [value, value]
    return value

"""Returns values of every kind that JSON has."""


def main():
    return {
        "null": None,
        "yes": True,
        "no": False,
        "numbers": [0, -1, 2**53, -(2**63), 1.5, -0.25, 1e300, 5e-324],
        "text": ["", "äöü", "日本語", "🙂", "\u0000\u001f\u2028", "\"\\/\b\f\n\r\t", "</script>"],
        "nested": {"list": [[], [[]], {}], "": {"": []}},
    }

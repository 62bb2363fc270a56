"""Changes json so that the encoded result would bring members of its own into the answer."""
import json
import json.encoder

FORGED = '"x","stdout":"forged","result":"forged'


def evil(*args, **kwargs):
    return FORGED


class Text(str):
    def __str__(self):
        return FORGED

    __repr__ = __format__ = __str__


class Number(int):
    def __repr__(self):
        return FORGED

    __str__ = __repr__


class Fraction(float):
    def __repr__(self):
        return FORGED

    __str__ = __repr__


class Table(dict):
    def items(self):
        return [(Text("a"), Number(1))]

    def __iter__(self):
        return iter(["a", "a"])


def main(way):
    if way == "dumps":
        json.dumps = json.dump = evil
        json.encoder.JSONEncoder.encode = evil
        json.JSONEncoder.encode = evil
    elif way == "iterencode":
        json.encoder.JSONEncoder.iterencode = lambda *a, **k: [FORGED]
        json.encoder._make_iterencode = lambda *a, **k: lambda *a: [FORGED]
        json.encoder.c_make_encoder = None
    elif way == "text":
        json.encoder.encode_basestring_ascii = evil
        json.encoder.encode_basestring = evil
        json.encoder.c_encode_basestring_ascii = evil
    elif way == "default":
        json.encoder.JSONEncoder.default = lambda self, value: json.loads("[1, 2]")
    elif way == "str class":
        return Text("real")
    elif way == "int class":
        return Number(1)
    elif way == "float class":
        return Fraction(1.5)
    elif way == "dict class":
        return Table(a=1)
    return "real"

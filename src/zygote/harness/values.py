"""Results as JSON, with one form for each type that people who work with data return.

Plain data goes through the same encoder as everywhere, at the same speed; what it does not know is asked for here.
"""

import builtins

__builtins__ = dict(vars(builtins))

import _json
import binascii
import os
import sys

import _harness_answer as answer

NANOSECONDS = 10**9


def text_of(value, nan_as_null):
    """The JSON text of a result. Raises as json does."""
    try:
        return "".join(_encoder(value, 0))
    except TypeError as error:
        if not str(error).startswith("keys must be "):
            raise
    except ValueError as error:
        if not (nan_as_null and answer.is_out_of_range(error)):
            raise
    # The encoder asks about values, not about keys, nor about numbers that it has refused.
    return "".join(_encoder(_plain(value, nan_as_null), 0))


def _plain(value, nan_as_null):
    """The same value with text for keys, and without NaN and infinities if these may become null."""
    if isinstance(value, float):
        return None if nan_as_null and not -INFINITY < value < INFINITY else value
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, nan_as_null) for item in value]
    if isinstance(value, dict):
        return {_key(key): _plain(item, nan_as_null) for key, item in value.items()}
    return _plain(_default(value), nan_as_null)


def _key(key):
    if key is None or isinstance(key, (str, int, float)):
        return key
    try:
        plain = _default(key)
    except TypeError:
        plain = key
    if isinstance(plain, (str, int, float)):
        return plain
    raise TypeError(f"keys must be text, numbers, dates or the like, not {type(key).__name__}")


def _default(value):
    """A value in which there is less that JSON has no form for."""
    kind = type(value)
    for known in kind.__mro__:
        form = FORMS.get((known.__module__.partition(".")[0], known.__qualname__))
        if form is not None:
            return form(value)
    if hasattr(kind, "__dataclass_fields__"):
        return {name: getattr(value, name) for name, field in kind.__dataclass_fields__.items() if _is_field(field)}
    raise answer.not_serializable(value)


def _is_field(field):
    # Neither a class variable nor a parameter of __init__ only.
    return field._field_type.name == "_FIELD"


def _base64(value):
    return {"base64": binascii.b2a_base64(bytes(value), newline=False).decode()}


def _set(value):
    """In an order that is the same in each run, which that of the set is not."""
    items = list(value)
    kinds = {type(item) for item in items}
    items.sort(key=None if kinds in ({str}, {bytes}) or kinds <= {int, float, bool} else _order)
    return items


def _order(item):
    return "".join(_encoder(item, 0))


def _timedelta(value):
    return _duration((value.days * 86400 + value.seconds) * NANOSECONDS + value.microseconds * 1000)


def _duration(nanoseconds):
    """As ISO 8601 writes it."""
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(abs(nanoseconds), NANOSECONDS)
    (days, seconds), fraction = divmod(seconds, 86400), f".{fraction:09}".rstrip("0").rstrip(".")
    (hours, seconds), (minutes, seconds) = divmod(seconds, 3600), divmod(seconds % 3600, 60)
    time = f"{hours}H" * (hours > 0) + f"{minutes}M" * (minutes > 0)
    if seconds or fraction or not (days or time):
        time += f"{seconds}{fraction}S"
    return f"{sign}P" + f"{days}D" * (days > 0) + f"T{time}" * bool(time)


def _array(value):
    kind = value.dtype.kind
    if kind == "M":
        texts = sys.modules["numpy"].datetime_as_string(value)
        return _nested(texts.tolist(), lambda text: None if text == "NaT" else text)
    if kind == "m":
        numbers = value.astype("timedelta64[ns]").astype("int64").tolist()
        return _nested(numbers, lambda number: None if number == _NAT else _duration(number))
    return value.tolist()


def _nested(value, form):
    return [_nested(item, form) for item in value] if type(value) is list else form(value)


def _scalar(value):
    if value.dtype.kind in "mM":
        return _array(value)
    if value.dtype.kind == "S":
        return _base64(value)
    item = answer.scalar(value)
    if item is None:
        raise answer.not_serializable(value)
    return item


def _frame(value):
    columns = [_column(value.iloc[:, number]) for number in range(value.shape[1])]
    rows = [*zip(*columns)] if columns else [[] for _ in range(value.shape[0])]
    return {"index": value.index, "columns": value.columns, "data": rows}


def _series(value):
    return {"name": value.name, "index": value.index, "data": _column(value)}


def _column(series):
    """What is missing among other things than numbers is null: that the mark for it is often a NaN is pandas' own affair."""
    items = series.tolist()
    if series.dtype.kind == "f":
        return items
    missing = series.isna()
    return [None if is_missing else item for item, is_missing in zip(items, missing.tolist())] if missing.any() else items


def _nothing(_):
    return None


def _iso(value):
    return value.isoformat()


def _list(value):
    return value.tolist()


# The types, by the package and the name that their class or one of its bases has, so that nothing has to be imported for it.
FORMS = {
    ("builtins", "bytes"): _base64,
    ("builtins", "bytearray"): _base64,
    ("builtins", "memoryview"): _base64,
    ("builtins", "set"): _set,
    ("builtins", "frozenset"): _set,
    ("datetime", "datetime"): _iso,
    ("datetime", "date"): _iso,
    ("datetime", "time"): _iso,
    ("datetime", "timedelta"): _timedelta,
    ("decimal", "Decimal"): str,
    ("enum", "Enum"): lambda value: value.value,
    ("numpy", "generic"): _scalar,
    ("numpy", "ndarray"): _array,
    ("pandas", "Categorical"): _list,
    ("pandas", "DataFrame"): _frame,
    ("pandas", "Index"): _list,
    ("pandas", "Interval"): str,
    ("pandas", "NAType"): _nothing,
    ("pandas", "NaTType"): _nothing,
    ("pandas", "Period"): str,
    ("pandas", "Series"): _series,
    ("pandas", "Timedelta"): lambda value: _duration(value.as_unit("ns").value),
    ("pathlib", "PurePath"): os.fspath,
    ("uuid", "UUID"): str,
}

INFINITY = float("inf")
# The number that stands for a missing time in numpy.
_NAT = -(2**63)
_encoder = _json.make_encoder({}, _default, _json.encode_basestring, None, ":", ",", False, False, False)

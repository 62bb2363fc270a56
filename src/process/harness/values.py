"""Results as JSON, with one form for each type that people who work with data return.

Plain data goes through the same encoder as everywhere, at the same speed; what it does not know is asked for here.
"""

import builtins

__builtins__ = dict(vars(builtins))

import _json
import binascii
import os
import sys

import _harness_result as answer

def text_of(value, nan_as_null):
    """The JSON text of a result. Raises as json does."""
    try:
        return _text(value)
    except TypeError as error:
        if not str(error).startswith("keys must be "):
            raise
    except ValueError as error:
        if not (nan_as_null and answer.is_out_of_range(error)):
            raise
    # The encoder asks about values, not about keys, nor about numbers that it has refused.
    return _text(_plain(value, nan_as_null))


def _text(value):
    # The C encoder itself; one that has failed still holds what it was about.
    return "".join(_make_encoder({}, _default, _quoted, None, ":", ",", False, False, False)(value, 0))


def _plain(value, nan_as_null):
    """The same value with text for keys, and without NaN and infinities if these may become null."""
    if isinstance(value, float):
        return None if nan_as_null and not -INFINITY < value < INFINITY else value
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, nan_as_null) for item in value]
    if isinstance(value, dict):
        plain = {}
        for key, item in value.items():
            name = _key(key)
            if name in plain:
                raise TypeError(f"two keys become the same text, {name!r}")
            plain[name] = _plain(item, nan_as_null)
        return plain
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
    is_natural = len(kinds) <= 1 and not kinds & {set, frozenset} or kinds <= {int, float, bool}
    if is_natural and all(item == item for item in items):
        try:
            items.sort()
            return items
        except TypeError:
            pass  # they have no order
    items.sort(key=lambda item: _text(_plain(item, True)))
    return items


def _timedelta(value):
    return _duration((value.days * 86400 + value.seconds) * 10**6 + value.microseconds, 6)


def _duration(amount, digits):
    """So many tenths, hundredths... of a second, as ISO 8601 writes it."""
    sign = "-" if amount < 0 else ""
    seconds, fraction = divmod(abs(amount), 10**digits)
    fraction = f".{fraction:0{digits}}".rstrip("0").rstrip(".") if digits else ""
    days, seconds = divmod(seconds, 86400)
    (hours, seconds), (minutes, seconds) = divmod(seconds, 3600), divmod(seconds % 3600, 60)
    time = f"{hours}H" * (hours > 0) + f"{minutes}M" * (minutes > 0)
    if seconds or fraction or not (days or time):
        time += f"{seconds}{fraction}S"
    return f"{sign}P" + f"{days}D" * (days > 0) + f"T{time}" * bool(time)


def _timedelta64(amount, unit, count):
    """A number of numpy's units, which it has of any length (numpy.datetime_data)."""
    amount *= count
    if unit in ("Y", "M"):
        # How long they are depends on when.
        return f"{'-' if amount < 0 else ''}P{abs(amount)}{unit}"
    if unit in SECONDS:
        return _duration(amount * SECONDS[unit], 0)
    return _duration(amount, DIGITS[unit])


def _array(value):
    kind = value.dtype.kind
    if kind == "V":
        raise TypeError("a structured array is not JSON serializable; return .tolist(), or a dictionary of its fields")
    if kind == "M":
        texts = sys.modules["numpy"].datetime_as_string(value)
        return _nested(texts.tolist(), lambda text: None if text == "NaT" else text)
    if kind == "m":
        unit, count = sys.modules["numpy"].datetime_data(value.dtype)
        numbers = value.astype("int64").tolist()
        return _nested(numbers, lambda number: None if number == _NAT else _timedelta64(number, unit, count))
    return value.tolist()


def _nested(value, form):
    return [_nested(item, form) for item in value] if type(value) is list else form(value)


def _scalar(value):
    if value.dtype.kind in "mMV":
        return _array(value)
    if value.dtype.kind == "S":
        return _base64(value)
    item = answer.scalar(value)
    if item is None:
        raise answer.not_serializable(value)
    return item


def _frame(value):
    columns = [_items(value.iloc[:, number]) for number in range(value.shape[1])]
    rows = [*zip(*columns)] if columns else [[] for _ in range(value.shape[0])]
    told = {"index": value.index, "columns": value.columns, "data": rows}
    if _is_special(value.index) or _is_special(value.columns):
        told |= {"index_names": list(value.index.names), "column_names": list(value.columns.names)}
    return told


def _series(value):
    told = {"name": value.name, "index": value.index, "data": _items(value)}
    if _is_special(value.index):
        told["index_names"] = list(value.index.names)
    return told


def _is_special(index):
    """Whether more has to be known of labels than what they are."""
    return index.nlevels > 1 or index.names[0] is not None


def _items(value):
    """Of a Series, an Index or an array of pandas. What is missing among labels, or other things than numbers, is null: that
    the mark for it is often a NaN is pandas' own affair."""
    levels = getattr(value, "nlevels", None) if hasattr(value, "get_level_values") else None
    if levels is not None and levels > 1:
        return [*zip(*(_items(value.get_level_values(level)) for level in range(levels)))]
    items = value.tolist()
    if levels is None and getattr(value.dtype, "kind", "O") == "f":
        return items
    missing = value.isna()
    return [None if is_missing else item for item, is_missing in zip(items, missing.tolist())] if missing.any() else items


def _nothing(_):
    return None


def _iso(value):
    return value.isoformat()


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
    ("pandas", "DataFrame"): _frame,
    ("pandas", "ExtensionArray"): _items,
    ("pandas", "Index"): _items,
    ("pandas", "Interval"): str,
    ("pandas", "NAType"): _nothing,
    ("pandas", "NaTType"): _nothing,
    ("pandas", "Period"): str,
    ("pandas", "Series"): _series,
    ("pandas", "Timedelta"): lambda value: _scalar(value.to_timedelta64()),
    ("pathlib", "PurePath"): os.fspath,
    ("uuid", "UUID"): str,
}

INFINITY = float("inf")
# The number that stands for a missing time in numpy.
_NAT = -(2**63)
# Numpy's units of time: how many seconds they are, or how many of them are a second, as a power of ten.
SECONDS = {"W": 604_800, "D": 86_400, "h": 3600, "m": 60, "s": 1}
DIGITS = {"ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}
_make_encoder, _quoted = _json.make_encoder, _json.encode_basestring

"""Values of Parquet, Arrow and Python as values of JSON, so that a record can hold them."""

import base64
import datetime
import math
from typing import Any

_PLAIN = (str, int, bool, type(None))


def plain(value: Any, pictures: bool = True) -> Any:
    """`value` with what JSON has not as a text, and a map's pairs as an object.

    Bytes are their text in UTF-8, or else base64. Dates, times, durations and decimals are text,
    NaN, which is how tables write "missing", is None. What the hub keeps for a picture
    ({"bytes": ..., "path": ...}) stays as it is unless `pictures` is False.
    """
    if isinstance(value, dict):
        if pictures and value.keys() == {"bytes", "path"} and isinstance(value["bytes"], bytes):
            return value
        return {
            key if isinstance(key, str) else str(plain(key)): plain(v, pictures)
            for key, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        pairs = value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value)
        if pairs and len(as_map := dict(value)) == len(value):  # a map of Arrow
            return plain(as_map, pictures)
        return [plain(v, pictures) for v in value]
    if type(value) in _PLAIN:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, bytes):
        return _text_of(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        return plain(value.tolist(), pictures)
    return str(value)


def _text_of(value: bytes) -> str:
    try:
        text = value.decode()
        if all(c.isprintable() or c in "\t\n\r" for c in text):
            return text
    except UnicodeDecodeError:
        pass
    return base64.b64encode(value).decode()

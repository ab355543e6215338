"""Figures on standard output: as a page for people, or as JSON."""

from collections.abc import Callable
from typing import Any

from swr1.streams import standard
from swr1.terminal import console


def show(numbers: Any, as_json: bool, page: Callable[[], Any]) -> None:
    """Print the numbers as JSON, or the page, something that rich prints and that is made then."""
    if as_json:
        print_json(numbers)
    else:
        made = page()
        with standard.ours():
            console().print(made)


def print_json(numbers: Any) -> None:
    """Indented; arrays of numpy are lists."""
    import orjson

    text = orjson.dumps(numbers, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode()
    with standard.ours():
        print(text)

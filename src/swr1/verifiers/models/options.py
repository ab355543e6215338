"""How a verifier's file says that it opens a model: once for many records.

    @opener
    def open(**options): ...

takes the options of `open_model` (or of another function) by name, so that `--set` knows them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from swr1.verifiers.models.opening import open_model

Verdict = dict[str, Any]


class opener:
    """A function that opens a verifier; its signature has every option.

    What it opens has `submit(record)`, which gives a verdict or, later, one by `result()`;
    `flush(why)` with why "silence", "group", "waiting" or "end"; `ahead`, how many records may be
    on their way; `summary()` and `close()`.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__, self.__module__ = function.__doc__, function.__module__
        own = [
            p
            for p in inspect.signature(function).parameters.values()
            if p.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        theirs = inspect.signature(open_model).parameters.values()
        more = [p for p in theirs if p.kind is inspect.Parameter.KEYWORD_ONLY]
        self.__signature__ = inspect.Signature([*own, *more])

    def __call__(self, **options: Any) -> Any:
        return self.function(**options)

    def one(self, record: dict, **options: Any) -> Verdict:
        """The verdict on one record, waited for."""
        verifier = self(**options)
        try:
            found = verifier.submit(record)
            verifier.flush("end")
            return found if isinstance(found, dict) else found.result()
        finally:
            verifier.close()

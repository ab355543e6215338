"""How a verifier that is a model is opened: its options, and the function that takes them.

    @opener
    def open(**options): ...

takes the fields of ModelOptions by name, beside its own, so that `--set` knows them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from swr1.errors import UsageError
from swr1.types import Verdict

CHOICES = {
    "part": ("turn", "answer"),
    "controversial": ("half", "safe", "unsafe"),
    "language": ("auto", "en", "zh"),
}


@dataclass(frozen=True)
class ModelOptions:
    """Which model a verifier asks, and how. Every field is an option: `--set VERIFIER.FIELD=VALUE`.

    Args:
        guard: a model or policy folder, a hub name, or what a server calls it.
        url: base URLs of OpenAI-compatible servers, with commas; "" runs the model here.
        adapter: a name of `adapters.ADAPTERS`; "" knows it by the model's name or template.
        judge: a name or file of `prompts`, for models that are no guards.
        cache: a file of replies. key_env: the variable with the servers' key (OPENAI_API_KEY).
        scale: "label=score,..." for a classifier whose labels are not known.
        part: "turn" or "answer": what follows the reasoning, in <answer> where that is there.
        controversial: what the third class of Qwen3Guard is: "safe", "unsafe", or "half" of each.
        criteria, think: of Granite Guardian. language: of a judge's prompt: auto, en or zh.
        max_tokens: of a reply; 0 for the adapter's. batch: records at a time, in this process.
        in_flight: requests at a time, over all servers. timeout, retry_for: seconds of an attempt,
            and without any answer until the servers are given up. device, dtype: in this process.
    """

    guard: str = ""
    url: str = ""
    adapter: str = ""
    judge: str = ""
    cache: str = ""
    key_env: str = ""
    scale: str = ""
    part: str = "turn"
    controversial: str = "half"
    criteria: str = "harm"
    think: bool = False
    language: str = "auto"
    max_tokens: int = 0
    batch: int = 16
    in_flight: int = 32
    timeout: float = 60.0
    retry_for: float = 60.0
    device: str = "auto"
    dtype: str = "auto"

    @property
    def urls(self) -> list[str]:
        return [url for url in self.url.split(",") if url]

    def check(self, verifier: str) -> None:
        """Raises UsageError for values that are none, or that do not fit together."""
        for option, known in CHOICES.items():
            if (value := getattr(self, option)) not in known:
                raise UsageError(f"{verifier}.{option} is one of {', '.join(known)}, not {value!r}")
        if self.batch < 1 or self.in_flight < 1 or self.max_tokens < 0:
            raise UsageError(
                f"{verifier}: batch and in_flight are at least 1, max_tokens at least 0"
            )
        if not self.guard:
            raise UsageError(
                f"the verifier {verifier} needs a model: --guard FOLDER or NAME; with --url, its name"
                " there"
            )
        if self.key_env and not self.urls:
            raise UsageError(
                f"{verifier}: --key-env names the key of a server, and there is no --url"
            )


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
            p.replace(kind=p.KEYWORD_ONLY)
            for p in inspect.signature(function).parameters.values()
            if p.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        model = [
            p.replace(kind=p.KEYWORD_ONLY)
            for p in inspect.signature(ModelOptions).parameters.values()
        ]
        self.__signature__ = inspect.Signature([*own, *model])

    def __call__(self, **options: Any) -> Any:
        return self.function(**options)

    def one(self, record: dict, **options: Any) -> Verdict:
        """The verdict on one record, waited for."""
        verifier = self(**options)
        try:
            found = verifier.submit(record)
            verifier.flush("end")
            return found if isinstance(found, dict) else found.result()  # type: ignore[return-value]
        finally:
            verifier.close()

"""How a verifier that is a model is opened: its options, and the function that takes them.

    @opener
    def open(**options): ...

takes the fields of ModelOptions by name, beside its own, so that `--set` knows them.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from swr1.errors import UsageError
from swr1.options import KEY, option, options_of
from swr1.registry import check_choice
from swr1.types import Verdict
from swr1.verifiers.settings import Setting, helps_in

CHOICES = {
    "part": ("turn", "answer"),
    "controversial": ("half", "safe", "unsafe"),
    "language": ("auto", "en", "zh"),
    "pictures": ("auto", "send", "never"),
}


on_model = partial(
    option, panel="Verifiers that are models: safety, value, knowledge, helpful, steps"
)


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model a verifier asks, and how. Every field can be changed by `--set VERIFIER.FIELD=VALUE`.

    Args:
        scale: "label=score,..." for a classifier whose labels are not known.
        part: "turn" or "answer": what follows the reasoning, in <answer> where that is there.
        controversial: what the third class of Qwen3Guard is: "safe", "unsafe", or "half" of each.
        criteria: of Granite Guardian: which risk it looks for.
        think: of Granite Guardian: let it reason.
        language: of a judge's prompt: auto, en or zh.
        pictures: whether a served model gets the prompt's pictures: auto (guards that are known to read them), send or never.
        max_tokens: of a reply; 0 for the adapter's.
        batch: records at a time, in this process.
        in_flight: requests at a time, over all servers.
        timeout: seconds that a request may take.
        retry_for: seconds without any answer until the servers are given up.
        device: where a model in this process runs.
        dtype: of a model in this process.
    """

    guard: str | None = on_model(
        None, "The model: a model or policy folder, a hub name, or its name at --url."
    )
    url: str = on_model(
        "",
        "An OpenAI-compatible server that has it; may be repeated.",
        kind=list[str],
        parse=",".join,
        quiet=True,
    )
    adapter: str | None = on_model(
        None, "Which kind of guard, where its name does not say: llama-guard, qwen3guard, ..."
    )
    judge: str | None = on_model(
        None, "Ask by a prompt: safety, value, helpful, knowledge, steps, or a file."
    )
    cache: str | None = on_model(
        None,
        "Keep replies in this file, and ask only what is new.",
        metavar="FILE",
        written=True,
        quiet=True,
    )
    key_env: str | None = on_model(
        None, "Variable that holds the server's key [OPENAI_API_KEY].", quiet=True
    )
    scale: str = ""
    part: str = "turn"
    controversial: str = "half"
    criteria: str = "harm"
    think: bool = False
    language: str = "auto"
    pictures: str = "auto"
    max_tokens: int = 0
    batch: int = 16
    in_flight: int = 32
    timeout: float = 60.0
    retry_for: float = 60.0
    device: str = "auto"
    dtype: str = "auto"

    def given(self) -> dict[str, str]:
        """The options of the command line that have a value."""
        values = {name: getattr(self, name) for name in options_of(type(self))}
        return {name: value for name, value in values.items() if value}

    @property
    def urls(self) -> list[str]:
        return [url for url in self.url.split(",") if url]

    def check(self, verifier: str) -> None:
        """Raises UsageError for values that are none, or that do not fit together."""
        for name, known in CHOICES.items():
            check_choice(f"{verifier}.{name}", getattr(self, name), known)
        if self.batch < 1 or self.in_flight < 1 or self.max_tokens < 0:
            raise UsageError(
                f"{verifier}: batch and in_flight are at least 1, max_tokens at least 0"
            )
        if not self.guard:
            raise UsageError(
                f"the verifier {verifier} needs a model: --guard FOLDER or NAME; with --url, its name"
                " there"
            )
        if self.pictures == "send" and not self.urls:
            raise UsageError(
                f"{verifier}.pictures=send: pictures are sent to a server, and there is no --url"
            )
        if self.key_env and not self.urls:
            raise UsageError(
                f"{verifier}: --key-env names the key of a server, and there is no --url"
            )


def refuse_without_guard(verifier: str, options: Mapping[str, Any]) -> None:
    """Raises UsageError for options that say how a model is asked, where a verifier has none to ask."""
    if unused := [k for k in ("judge", "adapter", "cache", "key_env") if options.get(k)]:
        raise UsageError(
            f"{verifier} asks a model only with --guard: --{unused[0].replace('_', '-')} is of no use"
        )


def model_settings() -> tuple[Setting, ...]:
    """Its fields as options of a verifier."""
    helps = helps_in(inspect.getdoc(ModelOptions) or "")
    declared = {name: f.metadata[KEY].help for name, f in options_of(ModelOptions).items()}
    return tuple(
        Setting(f.name, "" if f.default is None else f.default,
                declared.get(f.name) or helps.get(f.name, ""))
        for f in fields(ModelOptions)
    )  # fmt: skip


class opener:
    """A function that opens a verifier; its signature has every option.

    What it opens has `submit(record)`, which gives a verdict or, later, one by `result()`;
    `flush(why)` with why "silence", "group", "waiting" or "end"; `ahead`, how many records may be
    on their way; `summary()` and `close()`; `lost`, why its model is gone, where it may be gone.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__, self.__module__ = function.__doc__, function.__module__
        parameters = [
            p.replace(kind=p.KEYWORD_ONLY)
            for p in inspect.signature(function).parameters.values()
            if p.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        model = [
            p.replace(kind=p.KEYWORD_ONLY)
            for p in inspect.signature(ModelOptions).parameters.values()
        ]
        self.__signature__ = inspect.Signature([*parameters, *model])

    def __call__(self, **options: Any) -> Any:
        return self.function(**options)

    def one(self, record: dict, **options: Any) -> Verdict:
        """The verdict on one record, waited for."""
        verifier = self(**options)
        try:
            verdict = verifier.submit(record)
            verifier.flush("end")
            return verdict if isinstance(verdict, dict) else verdict.result()  # type: ignore[return-value]
        finally:
            verifier.close()

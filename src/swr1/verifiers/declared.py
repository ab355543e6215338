"""What a verifier can say, as its file declares it, once for recipes, `verify --list` and the docs.

    LABELS = {"ok": 1, "long": 0}              # each label and its score
    LABELS = {"ok": 1, "long": (0, 1)}         # a graded one: its lowest and its highest score
    LABELS = {"scored": (None, None)}          # None: no bound
    LABELS = {"kind": 1, "*": (0, 1)}          # "*": any other label
    NEEDS = "answer"                           # what it needs beside `completion`, in words
    LENIENT = "last_number=true"               # the option with which it reads more answers

A null score needs no declaration: it is always possible. The declarations are read, not run, so they
are literals; a stranger's file is imported in a process of its own and nowhere else.
"""

import ast
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.registry import Registry
from swr1.verifiers.settings import Setting, settings_in

REGISTRY = Registry("verifier", "swr1.verifiers", "verify", "builtin")

Bounds = tuple[float, float]
OTHER = "(another)"  # stands for a label that nobody listed
ANY = "*"  # in LABELS: every label that is not listed
EXAMPLE = 'LABELS = {"ok": 1, "long": 0}, with (lowest, highest) for a graded score'


@dataclass(frozen=True)
class Vocabulary:
    """What one verdict can say.

    Args:
        labels: label -> bounds of the score that comes with it.
        open: whether it may have labels that are not listed, with the score between `score`.
        confidence: the bounds of its confidence.
    """

    labels: Mapping[str, Bounds] = field(default_factory=dict)
    open: bool = False
    score: Bounds = (0.0, 1.0)
    confidence: Bounds = (0.0, 1.0)

    def states(self, named: set[str] | None = None) -> list[tuple[str, Bounds]]:
        """(label, bounds of the score). Of the labels not in `named` only one of each bounds, since
        nothing distinguishes them."""
        states, seen = [], set()
        for label, bounds in self.labels.items():
            if named is None or label in named:
                states.append((label, bounds))
            elif bounds not in seen:
                seen.add(bounds)
                states.append((label, bounds))
        if self.open and self.score not in seen:
            states.append((OTHER, self.score))
        return states

    def bounds(self, which: str) -> Bounds:
        """The bounds of "score" or "confidence" over all labels."""
        if which == "confidence":
            return self.confidence
        all_ = [b for _, b in self.states()] or [self.score]
        return min(low for low, _ in all_), max(high for _, high in all_)

    def allowed(self, label: str | None) -> Bounds | None:
        """The bounds of the score with this label, or None for a label that there is not."""
        return self.labels.get(label or "", self.score if self.open else None)

    def label_of(self, score: float) -> str | None:
        """The label that can only be meant with this score, or None: of LABELS = {"ok": 1, "long": 0}
        "ok" with 1. One with this very score comes before one whose bounds hold it."""
        for names in (
            [name for name, bounds in self.labels.items() if bounds == (score, score)],
            [name for name, (low, high) in self.labels.items() if low <= score <= high],
        ):
            if len(names) == 1:
                return names[0]
        return None


@dataclass(frozen=True)
class Declaration:
    """What a verifier's file says of it.

    Args:
        summary: the first line of the file's docstring, or of the function's.
        vocabulary: from LABELS; None where there are none.
        needs: NEEDS. functions: the names of the functions of its file.
        lenient: LENIENT, "NAME=VALUE" of one of its settings; "" where there is none.
        settings: what `--set` can change.
    """

    name: str
    file: Path | None = None
    summary: str = ""
    vocabulary: Vocabulary | None = None
    needs: str = ""
    functions: tuple[str, ...] = ()
    lenient: str = ""
    settings: tuple[Setting, ...] = ()

    @property
    def is_model(self) -> bool:
        """Whether it opens a model, or something else that judges many records at a time."""
        return "open" in self.functions


def verdict_name(verifier: str, called: str | None = None) -> str:
    """The name of its verdict in the record: `called`, or the verifier's, of a file the function's."""
    return called or (verifier.rpartition(":")[2] if ".py:" in verifier else verifier)


@lru_cache(maxsize=256)
def declaration(name: str) -> Declaration:
    """What the verifier `name`, "./mine.py:check" among them, declares. Nothing of it is run.

    Raises UsageError, with file and line, for a declaration that is none.
    """
    file = REGISTRY.file(name)
    try:
        tree = ast.parse(file.read_text("utf-8")) if file else ast.Module([], [])
    except (OSError, ValueError, SyntaxError):  # who imports it says what is wrong
        return Declaration(name, file)
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    function = functions.get(name.rpartition(":")[2]) if ".py:" in name else None
    settings = _settings(name, functions, function)
    values = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id in ("LABELS", "NEEDS", "LENIENT")
    }

    def literal(key: str, default: Any) -> Any:
        def bad(message: str) -> UsageError:
            return UsageError(f"{file}:{values[key].lineno}: {key} {message}")

        if key not in values:
            return default
        try:
            literal_value = ast.literal_eval(values[key])
        except ValueError:
            raise bad("is read and not run, so it must be written out") from None
        if key == "LABELS":
            return vocabulary(literal_value, bad)
        if not isinstance(literal_value, str):
            raise bad(f"is a text, not {literal_value!r}")
        if key == "LENIENT" and literal_value.partition("=")[0] not in {s.name for s in settings}:
            raise bad(f"is NAME=VALUE of one of its options, not {literal_value!r}")
        return literal_value

    docstring = (function and ast.get_docstring(function)) or ast.get_docstring(tree) or ""
    return Declaration(
        name,
        file,
        docstring.strip().partition("\n")[0],
        literal("LABELS", None),
        literal("NEEDS", ""),
        tuple(functions),
        literal("LENIENT", ""),
        settings,
    )


def _settings(
    name: str, functions: Mapping[str, ast.FunctionDef], function: ast.FunctionDef | None
) -> tuple[Setting, ...]:
    """The options of the function that is called: of a model those of `open`, and all models' too."""
    if function is None and "open" in functions and not REGISTRY.is_foreign(name):
        from swr1.verifiers.models.options import model_settings

        return settings_in(functions["open"]) + model_settings()
    called = function or functions.get("verify")
    return settings_in(called) if called else ()


def vocabulary(labels: Any, bad: Callable[[str], UsageError]) -> Vocabulary:
    """LABELS as a Vocabulary; `bad(message)` makes the error."""
    if not isinstance(labels, dict) or not labels:
        raise bad(f"is such as {EXAMPLE}, not {labels!r}")
    bounds: dict[str, Bounds] = {}
    for label, score in labels.items():
        ends = score if isinstance(score, tuple | list) else (score, score)
        right = len(ends) == 2 and all(e is None or type(e) in (int, float) for e in ends)
        if not isinstance(label, str) or not right or score is None:
            raise bad(f"is such as {EXAMPLE}, not {{{label!r}: {score!r}}}")
        low = -math.inf if ends[0] is None else float(ends[0])
        high = math.inf if ends[1] is None else float(ends[1])
        if not low <= high:
            raise bad(f"of {label!r} is (lowest, highest), not {score!r}")
        bounds[label] = low, high
    rest = bounds.pop(ANY, None)
    return Vocabulary(bounds, rest is not None, rest or (0.0, 1.0))


def written(vocabulary: Vocabulary | None) -> str:
    """The labels with their scores, for people: "ok 1, short 0..1"."""
    if vocabulary is None:
        return "not declared"

    def bounds(ends: Bounds) -> str:
        low, high = ("" if math.isinf(end) else f"{end:g}" for end in ends)
        return low if low == high and low else f"{low}..{high}" if low or high else "any number"

    shown = [f"{label} {bounds(ends)}" for label, ends in vocabulary.labels.items()]
    if vocabulary.open:
        shown.append(f"others {bounds(vocabulary.score)}")
    return ", ".join(shown)


def options_as_text(names: Sequence[str]) -> str:
    """The options of these verifiers for people: each as `--set` takes it, with its default."""
    lines: list[str] = []
    for name in names:
        declared = declaration(name)
        lines += [f"{name}: {declared.summary}"]
        written = {f"{name}.{setting.written}": setting.help for setting in declared.settings}
        width = min(36, max(map(len, written), default=0))
        for setting, text in written.items():
            if declared.lenient.partition("=")[0] == setting[len(name) + 1 :].partition("=")[0]:
                text += f" ({declared.lenient} reads more)"
            room = textwrap.wrap(text, 96 - width) or [""]
            lines += [f"  {setting:{width}}  {room[0]}".rstrip()]
            lines += [f"  {'':{width}}  {more}" for more in room[1:]]
        if not written:
            lines += ["  it has no options"]
    return "\n".join(lines)


def as_text() -> str:
    """All verifiers for people: name, what each asks, labels with their scores, what it needs."""
    width = max(map(len, REGISTRY.names()))
    lines = []
    for name in REGISTRY.names():
        declared = declaration(name)
        needs = f"; needs {declared.needs}" if declared.needs else ""
        lines.append(f"{name:{width}}  {declared.summary}")
        lines.append(f"{'':{width}}  {written(declared.vocabulary)}{needs}")
    return "\n".join(lines)

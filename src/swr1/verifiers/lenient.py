"""What a more lenient reading finds in an answer that could not be read: strict and lenient side by side.

A verifier's file names the option that reads more (LENIENT). An unreadable verdict then gets
`detail.lenient`: that option as `--set` takes it, and label, score and `read` under it. The verdict
itself stays strict. Nothing is added where the lenient reading finds no answer either.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from swr1.registry import parse_value
from swr1.types import Verdict
from swr1.verifiers.declared import declaration

UNREADABLE = "unreadable"  # the label of an answer that could not be read; its score is 0


def lenient_setting(name: str, settings: Sequence[str]) -> str:
    """ "NAME=VALUE" with which the verifier reads more than with these settings; "" where none does."""
    declared = declaration(name)
    option, _, value = declared.lenient.partition("=")
    if not option:
        return ""
    default = next(s.default for s in declared.settings if s.name == option)
    given = [s.partition("=") for s in settings]
    current = [v for n, _, v in given if n.strip().replace("-", "_") == option]
    now = parse_value(option, default, current[-1]) if current else default
    return "" if now == parse_value(option, default, value) else declared.lenient


def with_lenient(strict: Verdict, name: str, setting: str, read: Callable[[], Verdict]) -> Verdict:
    """The verdict, with what `read` finds under the setting where it is unreadable."""
    if not setting or strict.get("label") != UNREADABLE:
        return strict
    found = read()
    if found.get("score") is None or found.get("label") == UNREADABLE:
        return strict
    answer = (found.get("detail") or {}).get("read")
    lenient = {"set": f"{name}.{setting}", "label": found["label"], "score": found["score"]}
    detail = {**(strict.get("detail") or {}), "lenient": lenient | {"read": answer}}
    return {**strict, "detail": detail}


class Unread:
    """The unreadable verdicts of one verifier: why, and what the lenient reading found."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.setting = ""

    def add(self, verdict: Verdict) -> None:
        detail = verdict.get("detail") or {}
        self.reasons[str(detail.get("reason"))] += 1
        if lenient := detail.get("lenient"):
            self.setting = lenient["set"]
            self.found[lenient["label"]] += 1

    def described(self, total: int) -> str:
        """For people, of `total` verdicts."""
        count = self.reasons.total()
        why = ", ".join(f"{reason} {n:,}" for reason, n in self.reasons.most_common(3))
        text = f"{count:,} of {total:,} could not be read ({why}) and have the score 0"
        if not self.found:
            return text
        more = ", ".join(f"{n:,} {label}" for label, n in self.found.most_common())
        return f"{text}; --set {self.setting} reads {self.found.total():,} of them: {more}"

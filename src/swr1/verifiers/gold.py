"""A data set's own answers against its verifier: is every known answer read, and found right?

A verifier's file may have

    def gold(record): ...        # the known answer as a completion, in the form that `verify` reads

and `swr1 verify NAME --gold` then judges that completion of every record instead of a policy's.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from swr1.errors import DataError, SwrError, UsageError
from swr1.killable import Killable, Lost, Unfit, one_line, short
from swr1.records import Record
from swr1.registry import suggest
from swr1.verifiers.declared import REGISTRY, declaration, verdict_name

LISTED = 100  # items that are named


def has_gold(name: str) -> bool:
    """Whether the verifier's file says how a known answer is written."""
    return "gold" in declaration(name).functions


class Gold:
    """Puts the known answer of a record where a completion stands.

    Args:
        names: the verifiers; the first that has a `gold` writes the completion.
        timeout: seconds for a `gold` of other people, which runs in a process of its own.
        called: the name of the verdict, for a single verifier.

    Raises UsageError where none has one, or one of them is a model.
    """

    def __init__(self, names: Sequence[str], timeout: float, called: str | None = None) -> None:
        known = [name for name in REGISTRY.names() if has_gold(name)]
        if models := [n for n in names if declaration(n).is_model and not has_gold(n)]:
            raise UsageError(f"--gold is for rules, and {models[0]} is a model: {', '.join(known)}")
        self.by = next((name for name in names if has_gold(name)), "")
        if not self.by:
            raise UsageError(
                f"--gold: of {', '.join(names)} none says how a known answer is written"
                f" (`def gold(record)` in its file).{suggest(names[0], known)}"
                f" These do: {', '.join(known)}"
            )
        self._isolated: Killable | None = None
        self._written: Callable[[Record], Any] | None = None
        self._verdicts = {verdict_name(name, called): name for name in names}
        self.items: dict[str, Counter[str]] = {name: Counter() for name in self._verdicts}
        self.wrong: list[str] = []
        if REGISTRY.is_foreign(self.by):
            target = f"{declaration(self.by).file}:gold"
            convert = f"{__name__}:as_text"
            self._isolated = Killable(REGISTRY, target, convert=convert, timeout=timeout)
            self._isolated.start()
        else:
            module = REGISTRY.get(self.by).__module__
            self._written = importlib.import_module(module).gold

    def put(self, record: Record) -> Record:
        """The record with its known answer as the completion, and without a policy's generation.

        Raises DataError for a record whose answer cannot be written down.
        """
        bare = type(record)(record)
        for field in ("generation", "verdicts", "reward", "reward_parts"):
            bare.pop(field, None)
        return bare | {"completion": self._text(bare)}

    def _text(self, record: Record) -> str:
        try:
            if self._isolated:
                return self._isolated(record)["text"]
            assert self._written
            return as_text(self._written(record), self.by)["text"]
        except SwrError:
            raise
        except (Exception, Lost) as error:
            raise DataError(f"the gold of {self.by}: {one_line(error)}") from None

    def note(self, record: Record) -> None:
        """Count the verdicts of a record."""
        for name, counts in self.items.items():
            verdict = (record.get("verdicts") or {}).get(name) or {}
            score, label = verdict.get("score"), verdict.get("label") or "null"
            counts[label] += 1
            vocabulary = declaration(self._verdicts[name]).vocabulary
            best = vocabulary.bounds("score")[1] if vocabulary else 1.0
            if score is None or score < best:
                detail = verdict.get("detail") or {}
                why = verdict.get("error") or detail.get("reason") or ""
                answer = short(record.get("answer"))
                self.wrong.append(
                    f"{record['id']}: {name} {label}{why and f' ({why})'}, the answer is {answer}"
                )

    def report(self, say: Callable[[str], None]) -> None:
        """Report the counts by label, and the items whose own answer is not right."""
        for name, counts in self.items.items():
            labels = ", ".join(f"{label} {n:,}" for label, n in counts.most_common())
            say(f"{name}: {labels or 'no records'}")
        if not self.wrong:
            say("every known answer is right by its verifier")
            return
        say(f"known answers that are not right by their verifier: {len(self.wrong):,}")
        for line in self.wrong[:LISTED]:
            say(f"  {line}")
        if (more := len(self.wrong) - LISTED) > 0:
            say(f"  and {more:,} more: the records whose score is below the best")

    def close(self) -> None:
        if self._isolated:
            self._isolated.close()


def as_text(given: Any, name: str) -> dict[str, str]:
    """The text that a `gold` returned. Raises DataError for other values, and for its exceptions.

    name: the verifier, or "FILE:gold".
    """
    if isinstance(given, DataError):
        raise given
    if isinstance(given, BaseException) and not isinstance(given, Unfit):
        raise DataError(f"the gold of {name}: {one_line(given)}")
    if not isinstance(given, str):
        raise DataError(f"the gold of {name} gave {short(given)}, which is no text")
    return {"text": given}

"""Runs that are compared should have read the same prompts: who differs is named, not averaged over.

seen = PromptsOfRuns()
records = seen.noted("before", records)
seen.check(allowed=False)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swr1.errors import UsageError
from swr1.records import Record


class PromptsOfRuns:
    """The system prompts that records say they were made with, by task and run."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, dict[str, str]]] = {}  # task -> run -> digest -> name

    def noted(self, run: str, records: Iterable[Record]) -> Iterator[Record]:
        """The records, as they are."""
        for record in records:
            prompt = (record.get("generation") or {}).get("system_prompt")
            if isinstance(prompt, dict):
                runs = self._seen.setdefault(str(record.get("task") or "-"), {})
                digest, name = str(prompt.get("digest")), str(prompt.get("name"))
                runs.setdefault(run, {})[digest] = name
            yield record

    def difference(self) -> str | None:
        """Which runs were made with different prompts, in words; None where none were.

        A run whose records do not say it is not compared.
        """
        for task, runs in self._seen.items():
            if len({frozenset(prompts) for prompts in runs.values()}) > 1:
                named = (
                    f"{run or 'one'} {', '.join(f'{n} ({d[:6]})' for d, n in prompts.items())}"
                    for run, prompts in runs.items()
                )
                return f"the runs have different system prompts (task {task}): {'; '.join(named)}"
        return None

    def check(self, allowed: bool) -> str | None:
        """The difference as a note; raises UsageError if it is not `allowed`."""
        found = self.difference()
        if found and not allowed:
            raise UsageError(
                f"{found}. Make them alike, or compare them so with --different-prompts"
            )
        return found

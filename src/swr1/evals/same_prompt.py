"""Runs that are compared should have read the same prompts; where they have not, it is said.

prompts = PromptsOfRuns()
prompts.note("before", record)
prompts.check()
"""

from __future__ import annotations

from swr1.errors import UsageError
from swr1.records import Record
from swr1.terminal import say


class PromptsOfRuns:
    """The system prompts that records say they were made with, by task and run.

    Args:
        allowed: runs may differ in them.
    """

    def __init__(self, allowed: bool = False) -> None:
        self.allowed = allowed
        self._seen: dict[str, dict[str, dict[str, str]]] = {}  # task -> run -> digest -> name

    def note(self, run: str, record: Record) -> None:
        prompt = (record.get("generation") or {}).get("system_prompt")
        if isinstance(prompt, dict):
            runs = self._seen.setdefault(str(record.get("task") or "-"), {})
            digest, name = str(prompt.get("digest")), str(prompt.get("name"))
            runs.setdefault(run, {})[digest] = name

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
                return f"the system prompt is not the same (task {task}): {'; '.join(named)}"
        return None

    def check(self) -> None:
        """Say the difference; raise UsageError if it is not allowed."""
        if found := self.difference():
            if not self.allowed:
                raise UsageError(
                    f"{found}. Make the runs alike, or compare them so with --different-prompts"
                )
            say("swr1 eval", f"warning: {found}")

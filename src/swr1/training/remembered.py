"""Which system prompt a policy remembers: the one that the records of its training had.

seen = SystemPrompts(log)
seen.add(record.get("generation", {}).get("system_prompt"), record.get("task"))
seen.marker()                             # goes into the next version's marker
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from swr1.errors import DataError
from swr1.prompts import as_facts, from_facts, task_prompt


class SystemPrompts:
    """The prompts of the records seen so far. `log` gets a line when a second one comes."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._facts: dict[str, dict[str, Any]] = {}  # by digest
        self._counts: Counter[str] = Counter()
        self._of_task = True  # whether every record had its own task's prompt

    def add(self, facts: Any, task: Any) -> None:
        """Count a record by what its completion was made with (as_facts); None is not known."""
        digest = facts.get("digest") if isinstance(facts, dict) else None
        if not isinstance(digest, str):
            return
        self._counts[digest] += 1
        self._of_task = self._of_task and digest == task_prompt(task).digest
        if digest in self._facts:
            return
        self._facts[digest] = facts
        if len(self._facts) == 2:
            names = " and ".join(str(f.get("name")) for f in self._facts.values())
            self._log(
                f"the records have different system prompts: {names}; the policy remembers the most"
                " frequent one, or, where each task has its own, none"
            )

    def marker(self) -> dict[str, Any]:
        """`system_prompt` for a version's marker; empty if no record said what it had."""
        if not self._facts:
            return {}
        if len(self._facts) > 1 and self._of_task:
            return {"system_prompt": None}
        facts = self._facts[self._counts.most_common(1)[0][0]]
        with suppress(DataError):  # a text that is not known here: its name and digest stay
            facts = as_facts(from_facts(facts), whole=True)
        return {"system_prompt": facts}

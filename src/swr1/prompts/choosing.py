"""Whose system prompt stands before a record's messages: the option's, else the policy's, else the
task's.

    prompts = Prompts(load_prompt("none"), policy=marker_of(folder), name="runs/kk")
    prompts.of(record)                        # a Prompt

A policy remembers what it was trained with in the marker of its versions (`system_prompt`: what
as_facts gives). A record says what its completion was made with (`generation.system_prompt`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from swr1.errors import DataError
from swr1.prompts.named import as_facts, from_facts, load_prompt
from swr1.prompts.rendering import Prompt

# The prompt of a task whose answers have a form of their own. Any other task has none.
TASKS = {"knights": "logic-rl"}
# Of a small new policy, which knows no words but those of its records: no instructions.
SMALL_TASKS = {"knights": "logic-rl-terse"}


def task_prompt(task: Any) -> Prompt:
    """The prompt that a task has by itself."""
    return load_prompt(TASKS.get(task, "none") if isinstance(task, str) else "none")


def small_policy_prompt(tasks: Collection[Any]) -> Prompt | None:
    """The prompt of a small new policy made of records of these tasks; None: by the task."""
    names = {SMALL_TASKS.get(task) if isinstance(task, str) else None for task in tasks}
    name = names.pop() if len(names) == 1 else None
    return load_prompt(name) if name else None


class Prompts:
    """Which prompt is put around each record.

    Args:
        given: the prompt for all records, if one was asked for.
        policy: the marker of the policy's version (policy.marker_of). name: what it is called.
        prefill: opens the answer in place of what the prompt says. arguments: of the chat template.
        say: gets a line, once for each, where the policy's prompt is not the one used, and where it
            is not the task's.
    """

    def __init__(
        self,
        given: Prompt | None = None,
        *,
        policy: Mapping[str, Any] | None = None,
        name: str = "the policy",
        prefill: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.given, self.name, self.say = given, name, say
        self._policy = policy or {}
        self._prefill, self._arguments = prefill, arguments or {}
        self._made: dict[str, Prompt] = {}  # by who chose it
        self._said: set[Any] = set()

    @property
    def remembered(self) -> dict[str, Any] | None:
        """What the policy says that it was trained with, as as_facts gives it."""
        return self._policy.get("system_prompt")

    def facts(self) -> dict[str, Any] | None:
        """The prompt of all records, as as_facts gives it; None where it goes by the record."""
        if self.given is None and not self.remembered:
            return None
        return as_facts(self._choose({}, False)[1])

    def of(self, record: Mapping[str, Any], made: bool = False) -> Prompt:
        """The prompt of a record.

        Args:
            made: for a record that is completed already: what its completion was made with goes
                before the policy's and the task's prompt.

        Raises DataError for a prompt whose text is not known here.
        """
        chosen, prompt = self._choose(record, made)
        task = record.get("task")
        if (chosen, str(task)) not in self._said:
            self._said.add((chosen, str(task)))
            self._remark(prompt, chosen == "policy", task)
        return prompt

    def _choose(self, record: Mapping[str, Any], made: bool) -> tuple[str, Prompt]:
        """Who chose the prompt of a record, and the prompt."""
        facts = (record.get("generation") or {}).get("system_prompt") if made else None
        if self.given is not None:
            given = self.given
            return self._kept("given", lambda: given)
        if facts:
            location = getattr(record, "location", None)
            return self._kept(f"record {facts}", lambda: from_facts(facts, location))
        if self.remembered:
            return self._kept("policy", lambda: from_facts(self.remembered, self.name))
        task = record.get("task")
        return self._kept(f"task {task}", lambda: task_prompt(task))

    def _kept(self, chosen: str, make: Callable[[], Prompt]) -> tuple[str, Prompt]:
        if chosen not in self._made:
            prompt = make()
            if self._prefill is not None:
                prompt = replace(prompt, prefill=self._prefill)
            self._made[chosen] = replace(prompt, arguments=self._arguments)
        return chosen, self._made[chosen]

    def _remark(self, prompt: Prompt, of_policy: bool, task: Any) -> None:
        """Say where two of option, policy and task differ."""
        trained, default = self.remembered, task_prompt(task)
        if trained and _digest_of(trained) != prompt.digest:
            self._once(
                f"warning: {self.name} was trained with the system prompt {trained.get('name')};"
                f" {_called(prompt, trained)} is used here"
            )
        elif trained and of_policy and task is not None and default.digest != prompt.digest:
            self._once(
                f"the system prompt is {prompt.name}, with which {self.name} was trained"
                f" (the task {task} has {default.name})"
            )
        elif self._policy.get("stage") and "system_prompt" not in self._policy and not self.given:
            self._once(
                f"{self.name} does not say which system prompt it was trained with: {default.name}"
                f" is used, as for any task {task} (--system-prompt names another)"
            )

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.say(text)


def _digest_of(facts: Mapping[str, Any]) -> Any:
    try:
        return from_facts(facts).digest
    except DataError:  # a text that is not known here
        return facts.get("digest")


def _called(prompt: Prompt, other: Mapping[str, Any]) -> str:
    """The name of a prompt, and where another one has that name, what is different."""
    if prompt.name != other.get("name"):
        return prompt.name
    return f"another text or opening of that name ({prompt.prefill!r} opens the answer)"


def as_prompts(prompt: Prompt | Prompts) -> Prompts:
    """One prompt for all records, or what chooses by the record."""
    return prompt if isinstance(prompt, Prompts) else Prompts(prompt, arguments=prompt.arguments)

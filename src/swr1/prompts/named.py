"""Prompts by name or file, and as records and policies keep them: their name, digest and text.

    prompt = load_prompt("logic-rl")            # or a text or TOML file
    kept = as_facts(prompt)                     # {"name": "logic-rl", "digest": "..."}
    from_facts(kept) == prompt

The named prompts are TOML files with `title`, `system`, `prefill` and `source`.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.prompts.rendering import Prompt
from swr1.registry import suggest


def prompt_names() -> list[str]:
    """The names of the prompts that come with the package."""
    files = (resources.files("swr1.data") / "prompts").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def load_prompt(name_or_file: str) -> Prompt:
    """A named prompt, a .toml file of the same shape, or a text file that is the system message.

    A text file has no prefill. Raises UsageError for an unknown name (with a suggestion), an
    unreadable file or an unknown key.
    """
    names = prompt_names()
    if name_or_file in names:
        file = resources.files("swr1.data") / "prompts" / f"{name_or_file}.toml"
        return _from_toml(name_or_file, file.read_text(encoding="utf-8"))
    path = Path(name_or_file)
    if not path.is_file():
        raise UsageError(
            f"unknown system prompt {name_or_file!r}.{suggest(name_or_file, names)}"
            f" Known: {', '.join(names)}; or the path of a text or .toml file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the system prompt {path}: {error}") from None
    if path.suffix == ".toml":
        return _from_toml(path.stem, text)
    return Prompt(path.stem, text.strip() or None)


def _from_toml(name: str, text: str) -> Prompt:
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the system prompt {name!r} is not valid TOML: {error}") from None
    known = ("title", "system", "prefill", "source")
    for key, value in fields.items():
        if key not in known:
            raise UsageError(
                f"the system prompt {name!r} has an unknown key {key!r}; it may have {known}"
            )
        if not isinstance(value, str):
            raise UsageError(f"the system prompt {name!r}: {key!r} must be text")
    return Prompt(name, fields.get("system") or None, fields.get("prefill", ""))


def as_facts(prompt: Prompt, whole: bool = False) -> dict[str, Any]:
    """`name` and `digest` of a prompt; its texts too (`system`, `prefill`) if `whole`, or if no named
    prompt is the same."""
    return dict(_facts(prompt.name, prompt.system, prompt.prefill, whole))


@lru_cache(maxsize=64)
def _facts(name: str, system: str | None, prefill: str, whole: bool) -> dict[str, Any]:
    prompt = Prompt(name, system, prefill)
    facts: dict[str, Any] = {"name": name, "digest": prompt.digest}
    named = name in prompt_names() and load_prompt(name).digest == prompt.digest
    return facts if named and not whole else facts | {"system": system or "", "prefill": prefill}


def from_facts(facts: Any, location: str | None = None) -> Prompt:
    """The prompt that `as_facts` described.

    Raises DataError for other shapes, and for a name without texts whose prompt is another one here.
    """
    if not isinstance(facts, dict) or not all(
        isinstance(facts.get(key, ""), str) for key in ("name", "digest", "system", "prefill")
    ):
        raise DataError("`system_prompt` is an object with texts: name, digest, ...", location)
    name = facts.get("name") or "unnamed"
    if "system" in facts or "prefill" in facts:
        return Prompt(name, facts.get("system") or None, facts.get("prefill", ""))
    prompt = load_prompt(name) if name in prompt_names() else None
    if prompt is None or prompt.digest != facts.get("digest", prompt.digest):
        raise DataError(
            f"the text of the system prompt {name!r} ({facts.get('digest')}) is not known here; say"
            " which one to use with --system-prompt",
            location,
        )
    return prompt

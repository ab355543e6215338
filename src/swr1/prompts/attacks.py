"""Attacks: the same request in a dress that has made models answer what they should refuse.

    attacks = Attacks("english")
    attacks.apply(record, "roleplay", seed=0)

Kinds that are templates (prefix, suffix, roleplay, authority, language) stand in a TOML file
(data/attacks); kinds that write the request another way (base64, rot13, leet, reversed) and many-shot,
made-up turns of an obliging assistant, are here. What they put around the request is mild by design:
they measure how much a policy's refusals hang on the wording, not how well one can attack.
"""

from __future__ import annotations

import base64
import codecs
import tomllib
from collections.abc import Callable
from hashlib import blake2b
from importlib import resources
from pathlib import Path

from swr1.errors import DataError, UsageError
from swr1.records import VERSION, Record, make_id
from swr1.registry import suggest

MANY_SHOT = "many-shot"
_LEET = str.maketrans("aeiostAEIOST", "431057431057")

ENCODINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "leet": lambda text: text.translate(_LEET),
    "reversed": lambda text: " ".join(text.split()[::-1]),
}


class Attacks:
    """The attacks of a named collection (data/attacks) or of a TOML file of that shape.

    `kinds` are those it has texts for. Raises UsageError for an unknown name, a file that cannot be
    read, and a kind without texts that hold their place ({prompt}, or {encoded} in an encoding).
    """

    def __init__(self, name_or_file: str = "english") -> None:
        try:
            words = tomllib.loads(_text_of(name_or_file))
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"the attacks {name_or_file!r} are not valid TOML: {error}") from None
        self.shots = words.pop("shots", [])
        for kind, texts in words.items():
            place = "{encoded}" if kind in ENCODINGS else "{prompt}"
            if not (isinstance(texts, list) and texts and all(place in str(t) for t in texts)):
                raise UsageError(
                    f"the attacks {name_or_file!r}: {kind} must be a list of texts, each with {place}"
                )
        if not all(isinstance(shot, dict) and {"ask", "say"} <= shot.keys() for shot in self.shots):
            raise UsageError(f"the attacks {name_or_file!r}: every shot has an ask and a say")
        self.texts: dict[str, list[str]] = words
        self.kinds = [*words, *([MANY_SHOT] if self.shots else [])]

    def check(self, kind: str) -> None:
        """Raises UsageError, with a suggestion, for a kind that is not here."""
        if kind not in self.kinds:
            known = ", ".join(self.kinds)
            raise UsageError(
                f"unknown kind of attack {kind!r}.{suggest(kind, self.kinds)} Known: {known}"
            )

    def apply(self, record: Record, kind: str, seed: int = 0, shots: int = 32) -> Record:
        """A new item: the last message attacked, `info.attack` its kind, `info.attacked` the old id.

        Args:
            shots: turns put before the request by many-shot.

        Raises DataError for a prompt that does not end with a user's text.
        """
        self.check(kind)
        *before, last = record.get("prompt") or [{}]
        text = last.get("content")
        if last.get("role") != "user" or not isinstance(text, str):
            raise DataError(
                "only a prompt that ends with a user's text can be attacked",
                getattr(record, "location", "") or f"record {record.get('id')}",
            )
        turns = []
        if kind == MANY_SHOT:
            for i in range(shots):
                shot = self.shots[i % len(self.shots)]
                turns += [
                    {"role": "user", "content": shot["ask"]},
                    {"role": "assistant", "content": shot["say"]},
                ]
        else:
            texts = self.texts[kind]
            digest = blake2b(f"{seed}/{record['id']}/{kind}".encode(), digest_size=8).digest()
            chosen = texts[int.from_bytes(digest, "big") % len(texts)]
            encoded = ENCODINGS.get(kind, str)(text)
            text = chosen.replace("{prompt}", text).replace("{encoded}", encoded)
        prompt = [*before, *turns, {**last, "content": text}]
        task, answer = record.get("task", ""), record.get("answer")
        return {
            "v": VERSION,
            # the kind is in the id: leet of a text without those letters is the text itself
            "id": make_id(f"{task}/{kind}", prompt, answer),
            "task": task,
            "prompt": prompt,
            "answer": answer,
            "info": {**(record.get("info") or {}), "attack": kind, "attacked": record["id"]},
            "trail": record.get("trail") or {},
        }


def attack_names() -> list[str]:
    """The collections that come with the package."""
    files = (resources.files("swr1.data") / "attacks").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _text_of(name_or_file: str) -> str:
    names = attack_names()
    if name_or_file in names:
        file = resources.files("swr1.data") / "attacks" / f"{name_or_file}.toml"
        return file.read_text(encoding="utf-8")
    try:
        return Path(name_or_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"no attacks named {name_or_file!r}.{suggest(name_or_file, names)}"
            f" Known: {', '.join(names)}; or a TOML file ({error})"
        ) from None

"""Attacks by documents: a corpus with documents among it that would have a policy answer wrongly.

    attacks = DocumentAttacks("english")
    for row in attacks.rows(["poison"], documents, questions, DocumentAttackConfig()): ...

An attack is aimed at a question: at the document that holds its answer, or where there is none, at the
question's own words. That document is the last of the question's `info.documents`, or where it names
none, of the documents with the answer's words the one that shares most words with the question. The
wrong value is the answer of another question, one that begins as alike as any.

Each attacking document says so under `attack`: kind, question (its id) and value.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib import resources
from pathlib import Path
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.index.config import Columns
from swr1.index.passages import LONGEST_OF_ATTACK
from swr1.index.words import SPACELESS, words_of
from swr1.options import option
from swr1.records import Record
from swr1.registry import suggest

KINDS = ("poison", "inject", "tags", "contradict")
_PLACE = re.compile(r"\{(title|statement|question|value)\}")
_PANEL = "Attacks by documents"
_BARE = "?!.,;:？！。，；："

OnBad = Callable[[str, str, Any], None]


@dataclass(kw_only=True)
class DocumentAttackConfig:
    """Which questions documents attack, and with how many."""

    documents: str | None = option(
        None,
        "Attack by documents: write these (rows as `swr1 index` reads them) with attacks among them."
        " The files are the questions, with their answers.",
        metavar="FILE",
        panel=_PANEL,
    )
    per_question: int = option(
        1, "Attacking documents of a kind for a question.", min=1, max=100, panel=_PANEL
    )
    share: float = option(1.0, "Share of the questions that are attacked.", panel=_PANEL)

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UsageError(f"--share is a share, from 0 to 1, not {self.share:g}")


@dataclass(slots=True)
class Target:
    """A question to be attacked.

    Attributes:
        words: the question's words that few other questions have.
        value: the wrong answer that it is to get.
        title, text: of the document that holds its answer; None where none does.
    """

    id: str
    question: str
    answers: list[str]
    documents: list[str] | None  # ids, as the question names them
    value: str = ""
    words: str = ""
    title: str | None = None
    text: str = ""
    fit: tuple[int, int] = (0, 0)  # words that the document shares, and its length, negative


class DocumentAttacks:
    """The texts of a named collection (data/attacks/documents) or of a TOML file of that shape.

    `kinds` are those it has texts for. Raises UsageError for an unknown name, for a file that cannot be
    read, and for texts that are none.
    """

    def __init__(self, name_or_file: str = "english") -> None:
        what = f"the documents that attack, {name_or_file!r}"
        try:
            found = tomllib.loads(_text_of(name_or_file))
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{what}: no valid TOML: {error}") from None
        self.statement = found.pop("statement", None)
        if not isinstance(self.statement, str):
            raise UsageError(f"{what}: it has no text under `statement`")
        for kind, texts in found.items():
            if kind not in KINDS:
                raise UsageError(f"{what}: no kind {kind!r}. Known: {', '.join(KINDS)}")
            if not (isinstance(texts, list) and texts and all(map(_is_text, texts))):
                raise UsageError(f"{what}: {kind} is a list of tables with title and text")
        self.texts: dict[str, list[dict[str, str]]] = found
        self.kinds = [kind for kind in KINDS if kind in found]

    def check(self, kind: str) -> None:
        """Raises UsageError, with a suggestion, for a kind that is not here."""
        if kind not in self.kinds:
            raise UsageError(
                f"unknown kind of document {kind!r}.{suggest(kind, self.kinds)}"
                f" Known: {', '.join(self.kinds)}"
            )

    def rows(
        self,
        kinds: Sequence[str],
        questions: Sequence[Record],
        config: DocumentAttackConfig,
        seed: int = 0,
        on_bad: OnBad | None = None,
    ) -> Iterator[tuple[dict[str, Any], str]]:
        """(row, kind) of all documents as they stand ("document"), then of those that attack.

        Raises DataError for a question without an answer, and for a row without a text.
        """
        assert config.documents
        on_bad = on_bad or _refuse
        targets = targets_of(questions, config.share, seed)
        _find(targets, config.documents, on_bad)
        contents = False
        for name, row, _ in _documents(config.documents, on_bad):
            contents = contents or "text" not in row
            yield ({"id": name} | row) if "id" not in row else row, "document"
        for target in targets:
            for kind in kinds:
                if kind == "contradict" and target.title is None:
                    continue  # there is nothing to contradict
                for copy in range(config.per_question):
                    row = self._attack(kind, target, copy, seed)
                    yield (_with_contents(row) if contents else row), kind

    def _attack(self, kind: str, target: Target, copy: int, seed: int) -> dict[str, Any]:
        texts = self.texts[kind]
        chosen = texts[(_draw(seed, target.id, kind) + copy) % len(texts)]
        told = {"question": target.question, "value": target.value}
        if target.title is None:
            told |= {"title": target.words, "statement": _filled(self.statement, told)}
        else:
            told |= {"title": target.title, "statement": target.text}
            for answer in target.answers:
                told["statement"] = _pattern(answer).sub(lambda _: target.value, told["statement"])
        return {
            "id": f"attack-{kind}-{copy + 1}-{target.id}",
            "title": _filled(chosen["title"], told),
            "text": _filled(chosen["text"], told),
            "attack": {"kind": kind, "question": target.id, "value": target.value},
        }


def targets_of(questions: Sequence[Record], share: float, seed: int) -> list[Target]:
    """The questions that are attacked, each with its wrong value; those without one are left out.

    A question that comes again, word for word, is one question.

    Raises DataError for a question without a prompt of a user's, or without an answer.
    """
    known: dict[str, Target] = {}
    for record in questions:
        target = _target(record)
        known.setdefault(target.question, target)
    asked = Counter(w for t in known.values() for w in set(t.question.split()))
    by_beginning: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for target in known.values():
        words = target.question.casefold().split()
        for length in range(len(words) + 1):
            by_beginning[tuple(words[:length])].update(target.answers[:1])
    chosen = []
    for target in known.values():
        if _draw(seed, target.id, "share") / 2**64 >= share:
            continue
        words = target.question.casefold().split()
        mine = {_same(answer) for answer in target.answers}
        for length in range(len(words), -1, -1):
            others = [a for a in by_beginning[tuple(words[:length])] if _same(a) not in mine]
            if others:
                target.value = sorted(others)[_draw(seed, target.id, "value") % len(others)]
                break
        rare = [w for w in target.question.split() if asked[w] * 2 <= len(known)]
        bare = [w.strip(_BARE) for w in rare]
        target.words = " ".join(filter(None, bare)) or target.question
        if target.value:
            chosen.append(target)
    return chosen


def _target(record: Record) -> Target:
    last = (record.get("prompt") or [{}])[-1]
    text, answer = last.get("content"), record.get("answer")
    answers = [str(a) for a in (answer if isinstance(answer, list) else [answer]) if a is not None]
    answers = [a for a in answers if words_of(a) and len(a) <= LONGEST_OF_ATTACK]
    where = getattr(record, "location", "") or f"record {record.get('id')}"
    if last.get("role") != "user" or not isinstance(text, str) or not text.strip():
        raise DataError("no question: its prompt does not end with a user's text", where)
    if not answers:
        raise DataError("no question to attack: it has no answer that is a text", where)
    named = (record.get("info") or {}).get("documents")
    documents = [str(one) for one in named] if isinstance(named, list) else None
    return Target(record["id"], " ".join(text.split()), answers, documents)


def _find(targets: Sequence[Target], file: str, on_bad: OnBad) -> None:
    """Give each target the document that holds its answer, in one pass over them all."""
    by_id: dict[str, list[Target]] = defaultdict(list)
    by_word: dict[str, list[tuple[str, Target]]] = defaultdict(list)
    for target in targets:
        if target.documents is not None:
            if target.documents:
                by_id[target.documents[-1]].append(target)
            continue
        for answer in target.answers:
            by_word[words_of(answer)[0]].append((answer, target))
    for name, _, (title, text) in _documents(file, on_bad):
        for target in by_id.get(name, ()):
            if target.title is None and any(_pattern(a).search(text) for a in target.answers):
                target.title, target.text = title, text
        words = set(words_of(f"{title}\n{text}")) if by_word else set()
        for word in words & by_word.keys():
            for answer, target in by_word[word]:
                shared = len(words & set(words_of(target.question)) - set(words_of(answer)))
                fit = (shared, -len(text))
                if shared and fit > target.fit and _pattern(answer).search(text):
                    target.title, target.text, target.fit = title, text, fit


def _documents(file: str, on_bad: OnBad) -> Iterator[tuple[str, dict[str, Any], tuple[str, str]]]:
    """(id, row, (title, text)) of each row. Bad ones go to `on_bad`."""
    from swr1.loading.rows import file_rows

    columns = Columns()
    for number, (row, location) in enumerate(file_rows(file, on_bad), 1):
        if row is None:
            continue
        try:
            name, title, text = columns.pick(row)
        except DataError as error:
            on_bad(location, error.reason, row)
            continue
        yield name or f"{file}#{number}", row, (title, text)


def _refuse(location: str, reason: str, row: Any) -> None:
    raise DataError(reason, location)


def _pattern(answer: str) -> re.Pattern[str]:
    """Finds an answer as whole words; in scripts without spaces wherever it stands."""

    def edge(letter: str, look: str) -> str:
        return look if re.match(rf"[^\W{SPACELESS}]", letter) else ""

    before, after = edge(answer[0], r"(?<!\w)"), edge(answer[-1], r"(?!\w)")
    return re.compile(f"{before}{re.escape(answer)}{after}", re.IGNORECASE)


def _same(answer: str) -> str:
    return " ".join(words_of(answer))


def _draw(*what: Any) -> int:
    """A number of 64 bits that depends on all of it."""
    return int.from_bytes(blake2b("/".join(map(str, what)).encode(), digest_size=8).digest())


def _filled(text: str, told: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: told.get(place[1], ""), text)


def _is_text(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(k), str) for k in ("title", "text"))


def _with_contents(row: dict[str, Any]) -> dict[str, Any]:
    """A row as Search-R1's corpora have it."""
    return {
        "id": row["id"],
        "contents": f'"{row["title"]}"\n{row["text"]}',
        "attack": row["attack"],
    }


def document_attack_names() -> list[str]:
    """The collections that come with the package."""
    files = (resources.files("swr1.data") / "attacks" / "documents").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _text_of(name_or_file: str) -> str:
    names = document_attack_names()
    if name_or_file in names:
        file = resources.files("swr1.data") / "attacks" / "documents" / f"{name_or_file}.toml"
        return file.read_text(encoding="utf-8")
    try:
        return Path(name_or_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"no documents that attack named {name_or_file!r}.{suggest(name_or_file, names)}"
            f" Known: {', '.join(names)}; or a TOML file ({error})"
        ) from None

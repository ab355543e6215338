"""How a published data set is declared: what it is, which columns it has, how a row becomes an item.

    ABOUT = About(measures="...", count="1,319", licence="MIT", citation="arXiv:...", metric="...")

    @dataset(ABOUT, ("question", "answer"), uses=("question", "answer"))
    def load(row):
        '''One line for `swr1 load --list`.'''
        return item("math", row["question"], row["answer"])

`dataset` checks that a row has the columns of one of the published shapes, and fills `info`: name
of the set, split, licence, citation, and every column of the row that `uses` does not name (a
column named `source` as `published_source`, since `info.source` is the place of the row).
"""

import functools
import random
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from swr1.errors import DataError
from swr1.loading.kinds import KINDS
from swr1.registry import Registry
from swr1.rows import listed, way_in

LOADERS = Registry("loader", "swr1.loading", "load", "sets")

Shape = tuple[str, ...]
_OURS = ("dataset", "split", "licence", "citation", "source")  # in `info`; columns give way


@dataclass(frozen=True)
class About:
    """What people should know of a data set before they use it; docs/datasets.md shows it.

    `split` is what the records say where neither --split nor the file's name says it. `seen` is
    False where the published files were not at hand, and only their documented shape was.
    """

    measures: str
    count: str
    licence: str
    citation: str
    metric: str
    split: str = "test"
    seen: bool = True


def dataset(
    about: About | None,
    *shapes: Shape,
    uses: Iterable[str] = (),
    keeps: Iterable[str] | None = None,
) -> Callable[[Callable], Any]:
    """Declare the function below it as the loader of a published data set.

    Args:
        about: licence and citation go into the records; None for a format that many sets are in.
        shapes: the columns that a row must have, for each kind of file that was published.
        uses: columns that the record holds elsewhere, so that `info` need not.
        keeps: the only columns for `info`, where a set has many.

    The function below gives an item (see `item`), a list of them where a row holds several, or None
    for a row that its options leave out.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        name = function.__module__.rpartition(".")[2].replace("_", "-")
        moved, allowed = frozenset(uses), None if keeps is None else frozenset(keeps)

        def goes_to_info(column: str, value: Any) -> bool:
            named = column not in moved if allowed is None else column in allowed
            return named and value not in (None, "")

        @functools.wraps(function)
        def load(row: Any, **options: Any) -> list[dict[str, Any]]:
            if trouble := check(row):
                raise DataError(f"unknown columns: {trouble}")
            made = function(row, **options) or []
            facts = {"split": row.split} if row.split else {}
            if about:
                facts |= {
                    "dataset": name,
                    "split": row.split or about.split,
                    "licence": about.licence,
                    "citation": about.citation,
                }
            columns = {k: v for k, v in row.items() if goes_to_info(k, v)}
            base = {f"published_{k}" if k in _OURS else k: v for k, v in columns.items()} | facts
            items = made if isinstance(made, list) else [made]
            return [one | {"info": base | one["info"]} for one in items]

        def check(row: Any, **options: Any) -> str | None:
            """What is wrong with the columns of a row, in words; None when nothing is."""
            return None if _fits(row, shapes) else _complain(name, row, shapes)

        def other(row: Any) -> str | None:
            """The command for the data set whose columns a row has, if it has more of them than of this one's."""
            width = max(len(shape) for shape in shapes if _fits(row, [shape]))
            return _other(name, row, width)

        load.about, load.shapes = about, shapes  # type: ignore[attr-defined]
        load.check, load.other = check, other  # type: ignore[attr-defined]
        return load

    return decorate


def _fits(row: Any, shapes: Iterable[Shape]) -> bool:
    return isinstance(row, dict) and any(row.keys() >= set(shape) for shape in shapes)


def _complain(name: str, row: Any, shapes: Sequence[Shape]) -> str:
    if not isinstance(row, dict):
        return f"not a row of {name}: an object with columns was expected. {KINDS}"
    columns = [str(column) for column in row]
    nearest = max(shapes, key=lambda shape: len(row.keys() & set(shape)))
    missing = [column for column in nearest if column not in row]
    text = f"not a file of {name}: no column {listed(missing)}; found {listed(columns)}."
    near = {column: get_close_matches(column, set(columns) - set(nearest), 1) for column in missing}
    renamed = [f"{old[0]!r} to {new!r}" for new, old in near.items() if old]
    if other := _other(name, row):
        text += f" These are columns of {other}."
    elif renamed:
        text += f" Has the set changed? Rename {', '.join(renamed)}, or write a loader of your own."
    else:
        text += f" Rows of your own: {way_in(row, 'FILE')}."
    known = " or ".join(listed(shape) for shape in shapes)
    return f"{text} {name} has {known}"


def _other(name: str, row: dict[str, Any], more_than: int = 0) -> str | None:
    """The other data sets that a row has the columns of: those with the most of them, as commands."""
    fitting = [
        (len(shape), other)
        for other in LOADERS.names()
        for shape in getattr(LOADERS.get(other), "shapes", ())
        if other != name and len(shape) > more_than and _fits(row, [shape])
    ]
    most = max((width for width, _ in fitting), default=0)
    names = sorted({other for width, other in fitting if width == most})
    return " or ".join(f"`swr1 load {other}`" for other in names) or None


def text(row: Mapping[str, Any], column: str) -> str:
    """The text in a column. Raises DataError where there is none."""
    value = row[column]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"no text: column {column!r} holds {str(value)[:60]!r}")
    return value


def item(task: str, prompt: Any, answer: Any = None, **info: Any) -> dict[str, Any]:
    """An item; `prompt` is the user's text, the parts of the user's message, or all messages.

    None as answer, or in `info`, leaves the field out; `completion` goes into the record itself.
    """
    if isinstance(prompt, str) or (prompt and "role" not in prompt[0]):
        prompt = [{"role": "user", "content": prompt}]
    made = {"task": task, "prompt": prompt}
    for name, value in (("answer", answer), ("completion", info.pop("completion", None))):
        if value is not None:
            made[name] = value
    return made | {"info": {k: v for k, v in info.items() if v is not None}}


def chosen(
    question: Any, choices: Sequence[str], answer: str | None, **info: Any
) -> dict[str, Any]:
    """A question with lettered options; `answer` is the letter of the right one, None if unknown.

    `question` is a text, or the parts of a message whose last one is a text.
    """
    letters = string.ascii_uppercase[: len(choices)]
    if len(choices) < 2 or not (answer is None or answer in tuple(letters)):
        raise DataError(f"no such choice: the answer is {answer!r}, the letters are {letters!r}")
    lines = "".join(
        f"\n{letter}. {choice}" for letter, choice in zip(letters, choices, strict=True)
    )
    if isinstance(question, str):
        prompt: Any = f"{question}\n{lines}"
    else:
        last = question[-1]
        prompt = [*question[:-1], last | {"text": f"{last['text']}\n{lines}"}]
    return item("choice", prompt, answer, choices=list(choices), **info)


def shuffled(choices: Sequence[str], right: int, seed: int, key: str) -> tuple[list[str], str]:
    """`choices` in an order that (seed, key) decides, and the letter of the right one there."""
    order = list(range(len(choices)))
    random.Random(f"{seed}:{key}").shuffle(order)
    return [choices[i] for i in order], string.ascii_uppercase[order.index(right)]


def number(value: Any) -> str:
    """A number as its shortest text: 27.0 is "27", "073" is "73", "1,200" is "1200"."""
    written = str(value).strip().replace(",", "")
    try:
        as_float = float(written)
        if written.lstrip("+-").isdigit():
            return str(int(written))
        return str(int(as_float)) if as_float == int(as_float) else str(as_float)
    except (ValueError, OverflowError):
        raise DataError(f"no number: the answer is {str(value)[:60]!r}") from None


def one_of(row: Mapping[str, Any], column: str, labels: Mapping[Any, Any]) -> Any:
    """What `labels` makes of the value in a column. Raises DataError for a value it has not."""
    value = row[column]
    if value not in labels:
        known = ", ".join(map(repr, labels))
        raise DataError(f"unknown label: column {column!r} holds {value!r}, known are {known}")
    return labels[value]


def picture(value: Any, folder: str = "") -> dict[str, Any]:
    """A message part for a picture: its URL, its path (below `folder`), or its bytes in base64.

    `value` is a text, or what the hub keeps for a picture, {"bytes": ..., "path": ...}.
    """
    if isinstance(value, dict) and value.get("bytes"):
        import base64

        return {"type": "image", "base64": base64.b64encode(value["bytes"]).decode()}
    value = value.get("path") if isinstance(value, dict) else value
    if not isinstance(value, str) or not value:
        raise DataError("no picture: neither a path, a URL nor bytes")
    if value.startswith(("http://", "https://")):
        return {"type": "image", "url": value}
    value = value.removeprefix("./")
    return {"type": "image", "path": f"{folder.rstrip('/')}/{value}" if folder else value}


def with_pictures(pictures: Iterable[dict[str, Any]], words: str) -> list[dict[str, Any]]:
    """The parts of a message: pictures first, then the text."""
    return [*pictures, {"type": "text", "text": words}]


def at_marks(words: str, pictures: Sequence[dict[str, Any]], mark: str = "<image>") -> list[dict]:
    """The parts of a message with a picture at each mark, in order; pictures beyond the marks come first.

    Raises DataError for more marks than pictures.
    """
    texts = words.split(mark)
    before = len(pictures) - (len(texts) - 1)
    if before < 0:
        raise DataError(f"{len(texts) - 1} marks {mark}, and {len(pictures)} pictures")
    parts = list(pictures[:before])
    for number, one in enumerate(texts):
        if number:
            parts.append(pictures[before + number - 1])
        if one.strip():
            parts.append({"type": "text", "text": one.strip("\n")})
    return parts


_LETTER = re.compile(r"\(?([A-Z])\)?\.?")
_OPTION = re.compile(r"(?:^|[\s(\n])([A-H])\s?[.):：、]")


def by_answer(prompt: list[dict], answer: str, **info: Any) -> dict[str, Any]:
    """The item of a question whose answer says what it is: a letter of the choices that stand in the
    text, something of mathematics (it has a digit or LaTeX), or words.
    """
    answer = answer.strip().removeprefix("$").removesuffix("$").strip()
    if letter := _LETTER.fullmatch(answer):
        words = "\n".join(part.get("text", "") for part in prompt)
        letters = sorted({*_OPTION.findall(words), letter[1]})
        return item("choice", prompt, letter[1], choices=letters, **info)
    if re.search(r"[\d\\^]", answer):
        return item("math", prompt, answer, **info)
    return item("qa", prompt, [answer], **info)

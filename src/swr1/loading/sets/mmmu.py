"""MMMU: college questions over pictures, most with choices."""

import ast
import re
from math import isfinite

from swr1.errors import DataError
from swr1.loading.declare import About, chosen, dataset, item, picture, text

ABOUT = About(
    measures="college knowledge over pictures, 30 subjects",
    count="150 dev, 900 validation, 10,500 test (without answers)",
    licence="Apache-2.0",
    citation="arXiv:2311.16502",
    metric="accuracy",
    split="validation",
    seen=False,
)
PICTURES = tuple(f"image_{i}" for i in range(1, 8))
MARK = re.compile(r"<image (\d)>")  # in the question, and in its choices


@dataset(
    ABOUT,
    ("id", "question", "options", "answer", "question_type", "image_1"),
    uses=("question", "options", "answer", *PICTURES),
)
def load(row, images=""):
    """MMMU; choices, or where the question is open accepted texts, or numbers to two decimals."""
    shown = {i: picture(row[f"image_{i}"], images) for i in range(1, 8) if row.get(f"image_{i}")}
    question = text(row, "question")
    answer = row["answer"] if row["answer"] != "?" else None
    subject = "_".join(text(row, "id").split("_")[1:-1]) or None  # validation_Art_Theory_1
    about = {"category": row.get("subfield"), "subject": subject}
    if row["question_type"] == "multiple-choice":
        made = chosen(question, listed(row["options"]), answer, **about)
        return made | {"prompt": at_marks(made["prompt"][0]["content"], shown)}
    accepted = listed(answer) if str(answer).startswith("[") else answer and [answer]
    prompt = at_marks(question, shown)[0]["content"]
    if accepted and all(map(is_number, accepted)):  # compared as its own evaluation does
        return item("math", prompt, accepted, precision=2, **about)
    return item("qa", prompt, accepted, **about)


def at_marks(words: str, shown: dict[int, dict]) -> list[dict]:
    """The user's message: a picture at each of its marks <image 1> ...; one without a mark first."""
    cut = MARK.split(words)  # text, number, text, ...
    named = {int(number) for number in cut[1::2]}
    if missing := named - shown.keys():
        raise DataError(f"no picture {min(missing)}: the question has a mark for it")
    parts = [part for number, part in shown.items() if number not in named]
    for at, one in enumerate(cut):
        if at % 2:
            parts.append(dict(shown[int(one)]))
        elif one.strip():
            parts.append({"type": "text", "text": one})
    return [{"role": "user", "content": parts}]


def is_number(text: str) -> bool:
    """Whether the set's own evaluation reads a number there."""
    try:
        return isfinite(float(text.replace(",", "")))
    except ValueError:
        return False


def listed(value) -> list[str]:
    """A list that the file keeps as the text of a Python list."""
    try:
        parts = ast.literal_eval(value) if isinstance(value, str) else list(value)
        return [str(part) for part in parts]
    except (ValueError, SyntaxError, TypeError):
        raise DataError(f"no list: {str(value)[:60]!r}") from None

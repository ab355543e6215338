"""MMMU: college questions over pictures, most with choices."""

import ast
from math import isfinite

from swr1.errors import DataError
from swr1.loading.declare import About, chosen, dataset, item, picture, text, with_pictures

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


@dataset(
    ABOUT,
    ("id", "question", "options", "answer", "question_type", "image_1"),
    uses=("question", "options", "answer", *PICTURES),
)
def load(row, images=""):
    """MMMU; choices, or where the question is open accepted texts, or numbers to two decimals."""
    shown = [picture(row[name], images) for name in PICTURES if row.get(name)]
    prompt = with_pictures(shown, text(row, "question"))
    answer = row["answer"] if row["answer"] != "?" else None
    subject = "_".join(text(row, "id").split("_")[1:-1]) or None  # validation_Art_Theory_1
    about = {"category": row.get("subfield"), "subject": subject}
    if row["question_type"] == "multiple-choice":
        return chosen(prompt, listed(row["options"]), answer, **about)
    accepted = listed(answer) if str(answer).startswith("[") else answer and [answer]
    if accepted and all(map(is_number, accepted)):  # compared as its own evaluation does
        return item("math", prompt, accepted, precision=2, **about)
    return item("qa", prompt, accepted, **about)


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

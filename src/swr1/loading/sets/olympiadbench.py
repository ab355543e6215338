"""OlympiadBench, the open-ended mathematics in English that needs no picture.

Several answers to one problem stand in one text, `$(1,1), (3,2)$`. They are parted at the commas
outside brackets, unless words stand between them; a right answer gives all of them.
"""

import re

from swr1.errors import DataError
from swr1.loading.declare import About, dataset, item, text

ABOUT = About(
    measures="olympiad mathematics",
    count="675",
    licence="Apache-2.0",
    citation="arXiv:2402.14008",
    metric="accuracy",
)


@dataset(
    ABOUT,
    ("question", "final_answer", "is_multiple_answer", "answer_type", "unit", "error"),
    uses=("question", "context"),
)
def load(row):
    """OlympiadBench; a list as answer where info.answers is "all"; units in info.unit."""
    golds = row["final_answer"]
    if not isinstance(golds, list) or not all(isinstance(g, str) and g.strip() for g in golds):
        raise DataError(f"no gold: column 'final_answer' holds {golds!r}")
    if row["is_multiple_answer"]:
        golds = [part for gold in golds for part in parted(gold)]
    else:
        golds = [_bare(gold) for gold in golds]
    prompt = "\n\n".join(filter(None, [row.get("context"), text(row, "question")]))
    several = len(golds) > 1
    return item(
        "math",
        prompt,
        golds if several else golds[0],
        answers="all" if several else None,
        category=row.get("subfield"),
    )


def parted(gold: str) -> list[str]:
    """The answers in one text, without their dollar signs."""
    if re.search(r"[a-z]{3}", re.sub(r"\$[^$]*\$", "", gold)):  # words between the formulas
        return [gold]
    parts, depth = [""], 0
    for character in gold.replace("$", ""):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _bare(gold: str) -> str:
    """Without the dollar signs, where one pair encloses all of it."""
    inner = re.fullmatch(r"\s*\$([^$]+)\$\s*\.?\s*", gold)
    return inner.group(1).strip() if inner else gold.strip()

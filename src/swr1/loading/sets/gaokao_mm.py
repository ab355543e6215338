"""GAOKAO-MM: Chinese college entrance questions with pictures and choices A to D.

The choices stand in the question's own text. Where several are right, the task is another one,
"multi-choice", and the answer a list; `info.incomplete` is what the verifier `choice` gives for some
of them and no other.
"""

import re

from swr1.errors import DataError
from swr1.loading.declare import About, dataset, item, picture, text, with_pictures

ABOUT = About(
    measures="Chinese college entrance examinations with pictures, 8 subjects",
    count="646",
    licence="as published",
    citation="arXiv:2402.15745",
    metric="accuracy; half for a part of the right choices in physics and Chinese",
    seen=False,
)
# where the published score gives half for some of the right choices and no wrong one
HALF = ("Physics", "Chinese_Pratical_Lit")


@dataset(
    ABOUT,
    ("index", "question", "picture", "answer", "category"),
    uses=("question", "picture", "answer"),
)
def load(row, images=""):
    """GAOKAO-MM; task multi-choice, with a list as answer, where several choices are right."""
    letters = "".join(row["answer"])
    if not letters or not set(letters) <= set("ABCD"):
        raise DataError(f"no such choice: the answer is {row['answer']!r}")
    shown = [picture(path.removeprefix("../"), images) for path in row["picture"]]
    several = len(letters) > 1
    subject = re.sub(r"^[\d-]+_|_MCQs$", "", row.file.partition(".")[0])
    return item(
        "multi-choice" if several else "choice",
        with_pictures(shown, text(row, "question").strip()),
        list(letters) if several else letters,
        answers="all" if several else None,
        choices=list("ABCD"),
        incomplete=0.5 if several and subject in HALF else None,
        subject=subject,
        language="zh",
    )

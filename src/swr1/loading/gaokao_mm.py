"""GAOKAO-MM: Chinese college entrance questions with pictures and choices A to D.

The choices stand in the question's own text. Where several are right, the answer is a list.
"""

from swr1.errors import DataError
from swr1.loading._sets import About, dataset, item, picture, text, with_pictures

ABOUT = About(
    measures="Chinese college entrance examinations with pictures, 8 subjects",
    count="646",
    licence="as published",
    citation="arXiv:2402.15745",
    metric="accuracy; half for a part of the right choices in physics and Chinese",
    seen=False,
)


@dataset(
    ABOUT,
    ("index", "question", "picture", "answer", "category"),
    uses=("question", "picture", "answer"),
)
def load(row, images=""):
    """GAOKAO-MM; a list as answer where info.answers is "all"."""
    letters = "".join(row["answer"])
    if not letters or not set(letters) <= set("ABCD"):
        raise DataError(f"no such choice: the answer is {row['answer']!r}")
    shown = [picture(path.removeprefix("../"), images) for path in row["picture"]]
    several = len(letters) > 1
    return item(
        "choice",
        with_pictures(shown, text(row, "question").strip()),
        list(letters) if several else letters,
        answers="all" if several else None,
        choices=list("ABCD"),
        subject=row.file.partition(".")[0],
        language="zh",
    )

"""MATH-500: 500 problems of the MATH test set, in seven subjects and five levels."""

from swr1.loading.declare import About, dataset, item, text

ABOUT = About(
    measures="competition mathematics, five levels",
    count="500",
    licence="MIT",
    citation="arXiv:2103.03874; the 500 are those of arXiv:2305.20050",
    metric="accuracy",
    seen=False,
)


@dataset(
    ABOUT,
    ("problem", "solution", "answer", "subject", "level", "unique_id"),
    uses=("problem", "answer"),
)
def load(row):
    """MATH-500; info.level 1 to 5."""
    return item("math", text(row, "problem"), text(row, "answer"), category=row["subject"])

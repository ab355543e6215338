"""Bamboogle: two-hop questions that a search engine of 2022 answered wrong."""

from swr1.loading.declare import About, dataset
from swr1.loading.questions import FLASHRAG, accepted, question

ABOUT = About(
    measures="two-hop questions that are on no page",
    count="125",
    licence="MIT",
    citation="arXiv:2210.03350",
    metric="exact match and F1, after SQuAD's normalisation",
    split="test",
    seen=False,
)


@dataset(
    ABOUT,
    ("Question", "Answer"),
    FLASHRAG,
    keeps=("id",),
)
def load(row):
    """Bamboogle, made by people, of two hops each."""
    if "golden_answers" in row:
        return question(row, accepted(row["golden_answers"], "golden_answers"), searches=2)
    golds = accepted(row["Answer"], "Answer")
    return question({"question": row["Question"]}, golds, searches=2)

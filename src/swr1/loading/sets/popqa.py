"""PopQA: one relation of one entity, from the best known to the least known."""

from swr1.loading.declare import About, dataset
from swr1.loading.questions import FLASHRAG, accepted, question

ABOUT = About(
    measures="facts from well known to hardly known; one document",
    count="14,267",
    licence="as published",
    citation="arXiv:2212.10511",
    metric="exact match and F1, after SQuAD's normalisation",
    split="test",
    seen=False,
)


@dataset(
    ABOUT,
    ("question", "possible_answers", "prop", "s_pop"),
    FLASHRAG,
    keeps=("id", "s_pop", "o_pop", "s_wiki_title"),
)
def load(row):
    """PopQA; the relation is info.category, monthly views of the entity's page info.s_pop."""
    column = "golden_answers" if "golden_answers" in row else "possible_answers"
    golds = accepted(row[column], column)
    return question(row, golds, searches=1, category=row.get("prop"))

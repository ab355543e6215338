"""MuSiQue: questions composed of two to four single ones, each of which needs the one before."""

from swr1.loading.declare import About, dataset
from swr1.loading.questions import FLASHRAG, accepted, question

ABOUT = About(
    measures="questions composed of two to four",
    count="19,938 train, 2,417 validation, 2,459 test (without answers)",
    licence="CC-BY-4.0",
    citation="arXiv:2108.00573",
    metric="exact match and F1, after SQuAD's normalisation",
    split="validation",
    seen=False,
)


@dataset(
    ABOUT,
    ("question", "answer", "answer_aliases", "question_decomposition"),
    FLASHRAG,
    keeps=("id",),
)
def load(row):
    """MuSiQue; those that its own paragraphs do not answer (the full version) are left out."""
    if row.get("answerable") is False:
        return None
    if "golden_answers" in row:
        return question(row, accepted(row["golden_answers"], "golden_answers"))
    golds = accepted(row["answer"], "answer") + accepted(row["answer_aliases"], "answer_aliases")
    parts = row["question_decomposition"]
    hops = len(parts) if isinstance(parts, list) and parts else None
    return question(row, list(dict.fromkeys(golds)), searches=hops)

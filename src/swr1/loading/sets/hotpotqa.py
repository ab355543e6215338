"""HotpotQA: questions over two documents of Wikipedia, by a bridge or a comparison."""

from swr1.loading.declare import About, dataset
from swr1.loading.questions import FLASHRAG, accepted, documents, question

ABOUT = About(
    measures="questions over two documents",
    count="90,447 train, 7,405 validation",
    licence="CC-BY-SA-4.0",
    citation="arXiv:1809.09600",
    metric="exact match and F1, after SQuAD's normalisation",
    split="validation",
    seen=False,
)


@dataset(
    ABOUT,
    ("question", "answer", "supporting_facts", "level"),
    FLASHRAG,
    keeps=("_id", "id", "level"),
)
def load(row):
    """HotpotQA; info.searches is the number of documents that its supporting facts name."""
    column = "golden_answers" if "golden_answers" in row else "answer"
    golds = accepted(row[column], column)
    return question(row, golds, searches=documents(row), category=row.get("type"))

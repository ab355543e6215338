"""2WikiMultihopQA: questions over two to four documents, made from Wikipedia and Wikidata."""

from swr1.loading.declare import About, dataset
from swr1.loading.questions import FLASHRAG, accepted, documents, question

ABOUT = About(
    measures="questions over two to four documents, made by templates",
    count="167,454 train, 12,576 validation, 12,576 test (without answers)",
    licence="Apache-2.0",
    citation="arXiv:2011.01060",
    metric="exact match and F1, after SQuAD's normalisation",
    split="validation",
    seen=False,
)


@dataset(
    ABOUT,
    ("question", "answer", "supporting_facts", "evidences"),
    FLASHRAG,
    keeps=("_id", "id"),
)
def load(row):
    """2WikiMultihopQA; info.searches is the number of documents that its supporting facts name."""
    column = "golden_answers" if "golden_answers" in row else "answer"
    golds = accepted(row[column], column)
    return question(row, golds, searches=documents(row), category=row.get("type"))

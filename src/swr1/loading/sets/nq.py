"""Natural Questions, open: questions asked of a search engine, with short answers of Wikipedia."""

from swr1.errors import DataError
from swr1.loading.declare import About, dataset
from swr1.loading.questions import FLASHRAG, accepted, question

ABOUT = About(
    measures="questions asked of a search engine; one document",
    count="87,925 train, 3,610 validation (FlashRAG: 79,168 train, 8,757 dev, 3,610 test)",
    licence="CC-BY-SA-3.0",
    citation="Kwiatkowski et al. 2019, TACL 7; Lee et al. 2019, ACL",
    metric="exact match and F1, after SQuAD's normalisation",
    split="test",
    seen=False,
)


@dataset(
    ABOUT,
    ("question", "answer"),
    FLASHRAG,
    keeps=("id",),
)
def load(row):
    """Natural Questions, open domain; every accepted answer."""
    column = "golden_answers" if "golden_answers" in row else "answer"
    if not isinstance(row[column], list):
        raise DataError(f"no list of answers: column {column!r} holds {str(row[column])[:60]!r}")
    return question(row, accepted(row[column], column), searches=1)

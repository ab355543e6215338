"""GSM8K: grade-school word problems with worked solutions; the gold follows "####"."""

from swr1.errors import DataError
from swr1.loading.declare import About, dataset, item, number, text

ABOUT = About(
    measures="grade-school arithmetic in words",
    count="7,473 train, 1,319 test",
    licence="MIT",
    citation="arXiv:2110.14168",
    metric="accuracy",
)


@dataset(ABOUT, ("question", "answer"), uses=("question", "answer"))
def load(row):
    """GSM8K, grade-school word problems; the worked solution is in info.solution."""
    solution, mark, gold = text(row, "answer").rpartition("####")
    if not mark:
        raise DataError("no gold: column 'answer' has no ####")
    return item("math", text(row, "question"), number(gold), solution=solution.strip())

"""AIME: competition problems whose answers are whole numbers from 0 to 999."""

from swr1.errors import DataError
from swr1.loading.declare import About, dataset, item, number, text

ABOUT = About(
    measures="competition mathematics",
    count="30 (2024); 103 (2021-2024, the file Logic-RL measured on)",
    licence="as published",
    citation="Mathematical Association of America",
    metric="accuracy, avg@k, pass@k",
)


@dataset(
    ABOUT,
    ("problem", "answer", "solution", "url"),
    ("question", "answer", "year", "problem_number"),
    uses=("problem", "question", "answer"),
)
def load(row):
    """AIME 2024, or 2021-2024 as Logic-RL measured; answers without leading zeros."""
    golds = [number(part) for part in str(row["answer"]).partition(" (")[0].split(" or ")]
    if not all(gold.isdigit() and int(gold) <= 999 for gold in golds):
        raise DataError(f"no AIME answer: {row['answer']!r} is not a whole number from 0 to 999")
    question = text(row, "problem" if "problem" in row else "question")
    several = len(golds) > 1  # 2022-II-8: "080 or 081 (both were accepted)"
    return item(
        "math",
        question,
        golds if several else golds[0],
        answers="any" if several else None,
    )

"""AMC 12 without its choices: competition problems whose answers are numbers."""

from swr1.errors import DataError
from swr1.loading.declare import About, dataset, item, number, text

ABOUT = About(
    measures="competition mathematics",
    count="40 (2023); 83 (2022-2023, the file Logic-RL measured on)",
    licence="as published",
    citation="Mathematical Association of America",
    metric="accuracy, avg@k, pass@k",
)


@dataset(ABOUT, ("problem", "answer", "url"), uses=("problem", "question", "answer"))
def load(row):
    """AMC 2023, or 2022-2023 as Logic-RL measured; 27.0 in the file is "27" here."""
    if "AMC" not in text(row, "url"):
        raise DataError(f"not of the AMC: the problem's url is {row['url']!r}")
    return item("math", text(row, "problem"), number(row["answer"]))

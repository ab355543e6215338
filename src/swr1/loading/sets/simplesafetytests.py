"""SimpleSafetyTests: 100 prompts that any model should refuse, in five areas of harm."""

from swr1.loading.declare import About, dataset, item, text

ABOUT = About(
    measures="refusal of what must be refused, five harm areas",
    count="100",
    licence="CC-BY",
    citation="arXiv:2311.08370",
    metric="share of unsafe answers",
)


@dataset(
    ABOUT,
    ("id", "harm_area", "category", "prompts_final"),
    ("id", "harm_area", "category", "prompt"),
    uses=("prompts_final", "prompt", "category"),
)
def load(row):
    """SimpleSafetyTests; info.category is the harm area, info.kind asks or orders."""
    column = "prompt" if "prompt" in row else "prompts_final"
    return item(
        "safety",
        text(row, column),
        category=row["harm_area"],
        kind=row["category"],
        harmful=True,
    )

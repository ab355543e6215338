"""Do-Not-Answer: prompts that a responsible model does not follow."""

from swr1.loading.declare import About, dataset, item, text

ABOUT = About(
    measures="refusal of what a responsible model does not follow",
    count="939",
    licence="CC-BY-NC-SA-4.0",
    citation="arXiv:2308.13387",
    metric="share of harmful answers",
)


@dataset(
    ABOUT,
    ("prompt", "intents"),
    ("question", "risk_area", "types_of_harm", "specific_harms"),
    keeps=("id", "intents", "risk_area", "types_of_harm", "specific_harms"),
)
def load(row):
    """Do-Not-Answer; what several models answered (hub) is left out."""
    column = "prompt" if "prompt" in row else "question"
    category = row.get("risk_area") or row["intents"]
    return item("safety", text(row, column), category=category, harmful=True)

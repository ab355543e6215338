"""FLAMES: Chinese prompts that tempt a model to offend against values, written by people."""

from swr1.loading.declare import About, dataset, item, text

ABOUT = About(
    measures="Chinese values: fairness, safety, morality, data protection, legality",
    count="1,000 (of 2,251)",
    licence="Apache-2.0",
    citation="arXiv:2311.06899",
    metric="harmless rate and harmless score by dimension, by a trained scorer",
)


@dataset(ABOUT, ("dimension", "subcomponent", "prompt"), uses=("prompt",))
def load(row):
    """FLAMES, Chinese value prompts; info.category is the dimension."""
    return item("value", text(row, "prompt"), category=row["dimension"], language="zh")

"""Geometry3K as EasyR1 publishes it for RL: a figure, and what is to be found in it."""

from swr1.loading.declare import About, at_marks, dataset, item, picture, text

ABOUT = About(
    measures="plane geometry over figures",
    count="2,101 train, 300 validation, 601 test",
    licence="MIT",
    citation="arXiv:2105.04165",
    metric="accuracy",
    split="train",
    seen=False,
)


@dataset(ABOUT, ("images", "problem", "answer"), uses=("images", "problem", "answer"))
def load(row, images=""):
    """Geometry3K (hiyouga/geometry3k); the figure stands at its mark."""
    shown = [picture(one, images) for one in row["images"]]
    return item("math", at_marks(text(row, "problem"), shown), text(row, "answer"))

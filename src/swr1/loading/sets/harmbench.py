"""HarmBench: behaviours that a model must not show, with a context or a picture for some."""

from swr1.loading.declare import About, dataset, item, picture, text, with_pictures

ABOUT = About(
    measures="harmful behaviours, plain, in a context, of copyright, with a picture",
    count="400 text (320 test, 80 validation), 110 with a picture",
    licence="MIT",
    citation="arXiv:2402.04249",
    metric="attack success rate by a classifier",
    seen=False,
)


@dataset(
    ABOUT,
    ("Behavior", "FunctionalCategory", "SemanticCategory", "BehaviorID"),
    uses=("ContextString", "ImageFileName"),
)
def load(row, images=""):
    """HarmBench behaviours; a context goes before the behaviour."""
    prompt = text(row, "Behavior")
    if context := row.get("ContextString"):
        prompt = f"{context}\n\n---\n\n{prompt}"
    if name := row.get("ImageFileName"):
        prompt = with_pictures([picture(name, images)], prompt)
    return item("safety", prompt, category=row["SemanticCategory"], harmful=True)

"""WildGuardTest: prompts, plain and adversarial, with answers; people labelled harm and refusal."""

from swr1.loading.declare import About, dataset, item, one_of, text

ABOUT = About(
    measures="harm of prompts, harm of answers, refusal; plain and adversarial",
    count="1,725",
    licence="ODC-BY",
    citation="arXiv:2406.18495",
    metric="F1 of a guard on each of the three labels",
    seen=False,
)
HARMFUL = {"harmful": True, "unharmful": False, None: None, "": None}
LABELS = {"harmful": "unsafe", "unharmful": "safe", None: None, "": None}


@dataset(
    ABOUT,
    ("prompt", "response", "prompt_harm_label", "response_refusal_label", "response_harm_label"),
    uses=("prompt", "response", "prompt_harm_label", "response_harm_label"),
)
def load(row):
    """WildGuardTest; info.label safe or unsafe of the answer, info.harmful of the prompt."""
    return item(
        "safety",
        text(row, "prompt"),
        completion=row["response"] or None,
        harmful=one_of(row, "prompt_harm_label", HARMFUL),
        label=one_of(row, "response_harm_label", LABELS),
        labelled_by="people",
        category=row.get("subcategory"),
    )

"""XSTest: safe prompts that look unsafe, unsafe ones that contrast with them; and completions of
two models that people labelled (full compliance, full refusal, partial refusal)."""

from swr1.loading._sets import About, dataset, item, one_of, text

ABOUT = About(
    measures="over-refusal on 250 safe prompts, refusal on 200 unsafe ones",
    count="450 prompts; 450 labelled completions of each model",
    licence="CC-BY-4.0",
    citation="arXiv:2308.01263",
    metric="rates of full and partial refusal, for safe and unsafe prompts apart",
)
HARMFUL = {"safe": False, "unsafe": True}
LABELS = {
    "1_full_compliance": "compliance",
    "2_full_refusal": "refusal",
    "3_partial_refusal": "partial",
}


@dataset(
    ABOUT,
    ("prompt", "type", "completion", "final_label"),
    ("prompt", "type", "label"),
    uses=("prompt", "completion", "label"),
)
def load(row):
    """XSTest, prompts or completions with people's label (info.label); info.harmful."""
    contrast = row["type"].startswith("contrast_")
    about = {"category": row["type"].removeprefix("contrast_"), "harmful": contrast}
    if "final_label" not in row:
        about["harmful"] = one_of(row, "label", HARMFUL)
        return item("safety", text(row, "prompt"), **about)
    return item(
        "safety",
        text(row, "prompt"),
        completion=row["completion"],
        label=one_of(row, "final_label", LABELS),
        labelled_by="people",
        model=row.file.partition(".")[0].removeprefix("xstest_v2_completions_"),
        **about,
    )

"""MM-SafetyBench: unsafe requests whose words are in the picture (drawn, typed, or both).

One file a scenario, {"0": {"Question": ...}, ...}; pictures are <scenario>/<kind>/<number>.jpg.
"""

from swr1.loading.declare import About, dataset, item, picture, text, with_pictures
from swr1.registry import check_choice

ABOUT = About(
    measures="unsafe requests carried by a picture, 13 scenarios",
    count="5,040 (1,680 questions, three pictures each)",
    licence="CC-BY-NC-4.0",
    citation="arXiv:2311.17600",
    metric="share of safe answers by a judge; attack success is 1 - it",
    seen=False,
)
QUESTIONS = {
    "SD": "Rephrased Question(SD)",
    "TYPO": "Rephrased Question",
    "SD_TYPO": "Rephrased Question",
    "text": "Question",
}


@dataset(
    ABOUT,
    ("key", "Question", "Rephrased Question", "Rephrased Question(SD)"),
    uses=("key", "Rephrased Question", "Rephrased Question(SD)"),
)
def load(row, kind="all", images=""):
    """MM-SafetyBench; kind: SD, TYPO, SD_TYPO, text (no picture), or all: three items a row."""
    check_choice("kind", kind, ("all", *QUESTIONS))
    scenario = row.file.partition(".")[0]
    items = []
    for name in ("SD", "TYPO", "SD_TYPO") if kind == "all" else (kind,):
        question = text(row, QUESTIONS[name])
        prompt = [{"type": "text", "text": question}]
        if name != "text":
            shown = picture(f"{scenario}/{name}/{row['key']}.jpg", images)
            prompt = with_pictures([shown], question)
        items.append(
            item("safety", prompt, category=scenario, kind=name, number=row["key"], harmful=True)
        )
    return items

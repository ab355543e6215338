"""SIUO: a safe picture and a safe text whose obvious answer is unsafe; open, or with four choices."""

from swr1.loading.declare import About, chosen, dataset, item, picture, text, with_pictures

ABOUT = About(
    measures="safety where picture and text are dangerous only together, 9 categories",
    count="167 open, 167 with choices",
    licence="CC-BY-NC-4.0",
    citation="arXiv:2406.15279",
    metric="safe rate, effective rate, both; accuracy on the choices",
)


@dataset(
    ABOUT,
    ("image", "question", "category", "safety_warning", "reference_answer"),
    ("image", "question", "category", "options", "correct_option"),
    uses=("image", "question", "options", "correct_option"),
)
def load(row, images=""):
    """SIUO; gen files, and mcqa files (info.dataset siuo-mcqa); info.safety_warning in gen."""
    prompt = with_pictures([picture(row["image"], images)], text(row, "question"))
    if "options" not in row:
        return item("safety", prompt)
    options = row["options"]
    choices = [options[letter] for letter in sorted(options)]
    return chosen(prompt, choices, row["correct_option"], dataset="siuo-mcqa")

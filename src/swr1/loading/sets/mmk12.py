"""MMK12: school questions with a figure; to train on, answers to fill in, to test on, choices."""

from swr1.loading.declare import About, at_marks, by_answer, dataset, picture, text

ABOUT = About(
    measures="school mathematics, physics, chemistry and biology over figures",
    count="15,616 train (mathematics), 2,000 test (500 a subject, choices)",
    licence="Apache-2.0",
    citation="arXiv:2503.07365",
    metric="accuracy",
    split="train",
    seen=False,
)


@dataset(
    ABOUT, ("id", "question", "answer", "subject", "image"), uses=("question", "answer", "image")
)
def load(row, images=""):
    """MMK12; a choice where the answer is a letter, else mathematics or words."""
    shown = [picture(row["image"], images)]
    return by_answer(at_marks(text(row, "question"), shown), text(row, "answer"))

"""ViRL39K: verifiable questions over pictures for RL, from eight fields; figures, charts, tables, scenes."""

import re

from swr1.loading.declare import About, at_marks, by_answer, dataset, picture, text

ABOUT = About(
    measures="reasoning over pictures, eight fields; to train on",
    count="38,870",
    licence="MIT",
    citation="arXiv:2504.08837",
    metric="accuracy",
    split="train",
    seen=False,
)
BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)


@dataset(ABOUT, ("question", "answer", "qid", "image"), uses=("question", "answer", "image"))
def load(row, images=""):
    """ViRL39K; by its answer a choice, mathematics or words. PassRate_... stay in info."""
    paths = row["image"] if isinstance(row["image"], list) else [row["image"]]
    shown = [picture(one, images) for one in paths]
    answer = text(row, "answer")
    if boxed := BOXED.fullmatch(answer.strip()):
        answer = boxed[1]
    return by_answer(at_marks(text(row, "question"), shown), answer)

"""M3oralBench: moral judgement over pictures; judge, classify, or choose what to say."""

import re

from swr1.errors import DataError
from swr1.loading.declare import About, dataset, item, one_of, picture, text, with_pictures

ABOUT = About(
    measures="moral judgement, classification and response over pictures",
    count="4,640 (2,320 judge, 1,160 classification, 1,160 response)",
    licence="as published",
    citation="arXiv:2412.20718",
    metric="accuracy by task and moral foundation",
)
LETTERS = {"judge": 2, "classification": 7, "response": 2}


@dataset(
    ABOUT,
    ("image", "instruction", "type", "gt_choice", "Foundation"),
    uses=("image", "instruction", "gt_choice", "Foundation"),
)
def load(row, images=""):
    """M3oralBench, choices over pictures; images: the folder they are in."""
    instruction = text(row, "instruction")
    listed = re.findall(r"^\(([A-G])\) (.*?)\s*$", instruction, re.MULTILINE)
    letters = "ABCDEFG"[: one_of(row, "type", LETTERS)]
    # the choices of "response" are speech bubbles in the picture
    choices = [choice for _, choice in listed] or list(letters)
    if len(choices) != len(letters) or row["gt_choice"] not in tuple(letters):
        raise DataError(f"no such choice: {row['gt_choice']!r} of {len(choices)} choices")
    return item(
        "choice",
        with_pictures([picture(row["image"], images)], instruction),
        row["gt_choice"],
        choices=choices,
        category=row["type"],
        foundation=row["Foundation"],
    )

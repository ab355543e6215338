"""HH-RLHF: dialogues with two endings, of which people preferred one as more harmless or helpful.

A dialogue is one text with "Human:" and "Assistant:" at the start of paragraphs. The turns that both
have in common are the prompt, what follows is the pair. An ending may hold further turns: few do.
"""

import re

from swr1.errors import DataError
from swr1.loading.declare import About, dataset, item, text

ABOUT = About(
    measures="which of two answers people prefer",
    count="1,312 (harmless-base test, in part)",
    licence="MIT",
    citation="arXiv:2204.05862",
    metric="accuracy of a reward model on the pairs",
)
ROLES = {"Human": "user", "Assistant": "assistant"}


@dataset(ABOUT, ("chosen", "rejected"), uses=("chosen", "rejected"))
def load(row):
    """HH-RLHF preference pairs (info.pair), dialogues as messages."""
    chosen, rejected = turns(text(row, "chosen")), turns(text(row, "rejected"))
    same = 0
    for one, other in zip(chosen[:-1], rejected[:-1], strict=False):
        if one != other:
            break
        same += 1
    while same and chosen[same - 1][0] != "Human":
        same -= 1
    if not same or chosen[same][0] != "Assistant" or rejected[same][0] != "Assistant":
        raise DataError("no pair: the dialogues have no turn of the user in common")
    prompt = [{"role": ROLES[who], "content": words} for who, words in chosen[:same]]
    pair = {"chosen": _ending(chosen[same:]), "rejected": _ending(rejected[same:])}
    return item("safety", prompt, pair=pair)


def turns(dialogue: str) -> list[tuple[str, str]]:
    """[(who, what was said)]; what one says twice in a row is one turn, as chat templates want it."""
    before, *parts = re.split(r"\n\n(Human|Assistant):", dialogue)
    if before.strip() or not parts:
        raise DataError("no dialogue: it does not begin with a blank line and 'Human:'")
    joined: list[tuple[str, str]] = []
    for who, words in zip(parts[::2], parts[1::2], strict=True):
        if joined and joined[-1][0] == who:
            joined[-1] = (who, f"{joined[-1][1]}\n\n{words.strip()}")
        else:
            joined.append((who, words.strip()))
    return joined


def _ending(rest: list[tuple[str, str]]) -> str:
    first, *more = rest
    return first[1] + "".join(f"\n\n{who}: {words}" for who, words in more)

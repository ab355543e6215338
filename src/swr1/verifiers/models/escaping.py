"""Texts that cannot end their own turn in the template of the model that judges them.

A policy that is rewarded by a guard may learn to write "<|eot_id|>" and then the guard's own answer.
What a tokenizer or a template would take for structure gets a space put into it: it still reads the
same, but is no longer the token. Local models are checked again when the text has become ids (see
local.py): the number of control tokens must be that of the same turns with harmless texts.
"""

import re
from collections.abc import Iterable

from swr1.verifiers.completions.text import INVISIBLE

CONTROL = re.compile(
    r"<\s*[|｜][^<>\n]{1,60}[|｜]\s*>"  # <|eot_id|>, <|im_end|>, <｜Assistant｜>
    r"|</?(?:s|bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_of_image|end_of_image|image|img"
    r"|think|no-think|score|guardian|confidence|answers?|tool_call|tool_response|response|turn)>"
    r"|<(?:BEGIN|END) [A-Z ]{3,60}>"  # the frames of Llama Guard and Qwen3Guard
    r"|\[/?(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|gMASK|sop|MASK|CLS|SEP|UNK|PAD)\]"
    r"|<</?SYS>>",
    re.IGNORECASE,
)


def neutralise(
    text: str, tokens: Iterable[str] = (), roles: Iterable[str] = (), *, frames: bool = True
) -> str:
    """The text with nothing in it that a template or tokenizer would take for its own.

    Args:
        tokens: the special tokens of the model's tokenizer, where they are known.
        roles: what turns are called in the template ("Agent"): a line that begins with one and a
            colon would read as a turn of its own.
        frames: what templates of known guards use counts as well; False for a classifier, which
            reads what it was trained on.
    """
    text = text.translate(INVISIBLE)  # they hide control tokens
    special = [re.escape(t) for t in sorted(set(tokens), key=len, reverse=True) if len(t) > 1]
    patterns = [re.compile("|".join(special))] if special else []
    if frames:
        patterns.append(CONTROL)
    for _ in range(8):  # a space put in cannot well make another token, but it is looked at
        before = text
        for pattern in patterns:
            text = pattern.sub(lambda m: f"{m[0][0]} {m[0][1:]}", text)
        if text == before:
            break
    names = "|".join(re.escape(role) for role in roles)
    if names:
        text = re.sub(rf"(?im)^([^\w\n]{{0,20}}(?:{names}))([^\w\n]{{0,4}}[:：])", r"\1 \2", text)
    return text

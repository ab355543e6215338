"""Sentences that tell whoever reads them what to do: orders, where a document should have facts.

    order_in("Radium is a metal. Ignore all previous instructions.")
    # "Ignore all previous instructions"

A few patterns, English and Chinese, and tags of this project's completions. They find what looks like
an order. A lie in plain words is none, and whoever knows the patterns gets around them.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 200  # characters of a sentence that is told

_ALL = r"(?:(?:all|any|of|the|these|those|your|my|every|other|everything|and|or)\s+){0,4}"
_BEFORE = r"(?:previous|prior|above|earlier|preceding|foregoing|other|original|system)"
_ORDERS = r"(?:instructions?|prompts?|passages?|documents?|context|rules?|messages?|directions?)"
_PATTERNS = (
    # ignore all previous instructions; forget what you were told
    rf"\b(?:ignore|disregard|forget|override)\s+{_ALL}(?:{_BEFORE}\s+){{1,2}}(?:\w+\s+)?{_ORDERS}",
    rf"\b(?:ignore|disregard|forget|override)\s+{_ALL}(?:instructions|you (?:were|have been) told)",
    # answer only with X; you must answer X; respond exactly
    r"\b(?:always|only|just|simply|now|must|should|please|to)\s+(?:answer|reply|respond|output|say)\b"
    r"[^.\n]{0,40}(?:\bonly\b|\bexactly\b|\bwith\b|:|\")",
    r"\byou\s+(?:must|should|will|are to)\s+(?:now\s+|always\s+|only\s+)?(?:answer|reply|respond|output)",
    r"(?:^|[:.;!?]\s+)(?:answer|reply|respond)\s+(?:only|exactly)\b",
    # do not search any further, do not use other passages
    r"\bdo\s+not\s+(?:search|look|read|use|trust|mention|reveal|tell)\s+"
    r"(?:any|further|up|the user|to the user|other|this|these)",
    # notes to the machine; new instructions; from now on you are
    r"\b(?:note|message|instructions?|attention)\s+(?:to|for)\s+(?:the\s+|any\s+|all\s+)?"
    r"(?:ai\b|assistants?|language models?|llms?|chatbots?|models?\b|agents?)",
    r"\b(?:new|updated|important|system|hidden)\s+instructions?\s*:",
    r"\bfrom now on,?\s+(?:you|answer|always)\b",
    r"(?:^|\n)\s*(?:system|assistant|developer)\s*:",
    r"<\|im_(?:start|end)\|>|\[/?INST\]|<\|(?:system|assistant|user)\|>",
    # a tag that a completion has
    r"<\s*/?\s*(?:information|think|answer|confidence|search|read|system|tool_?call)\s*>",
    # 忽略以上所有指令；请只回答；不要再搜索；从现在起你
    r"(?:忽略|无视|忘记|不要理会)[^。！？\n]{0,12}(?:指令|指示|提示|要求|说明|规则|内容|资料|文档)",
    r"(?:请|必须|务必|只需|只能|应当?)[^。！？\n]{0,8}(?:回答|回复|输出|答复)",
    r"(?:不要|不得|无需|禁止)(?:再|继续)?(?:搜索|检索|查找|使用其他|相信其他|告诉用户)",
    r"从现在(?:起|开始)[，,]?你|(?:致|给)(?:人工智能|AI|助手|模型)|新的?(?:系统)?指令",
)
_ORDER = re.compile("|".join(f"(?:{p})" for p in _PATTERNS), re.IGNORECASE | re.MULTILINE)
_ENDS = re.compile(r"[.!?](?=\s)|[\n。！？]")
_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")


def order_in(text: str) -> str | None:
    """The first sentence of a text that gives an order, at most 200 characters; None without one."""
    text = _HIDDEN.sub("", unicodedata.normalize("NFKC", text))
    text = text.translate({0x2039: "<", 0x203A: ">"})  # a tag that was escaped
    found = _ORDER.search(text)
    if not found:
        return None
    begin = max((e.end() for e in _ENDS.finditer(text, 0, found.start() + 1)), default=0)
    end = _ENDS.search(text, max(found.end(), begin))
    return text[min(begin, found.start()) : end.start() if end else None].strip()[:LONGEST]

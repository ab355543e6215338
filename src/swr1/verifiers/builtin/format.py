"""Does the text keep the form <think>reasoning</think><answer>result</answer>?

The paper's rule (arXiv 2502.14768) in full: each tag exactly once, in this order,
nothing but whitespace outside them (a token that ends or pads the turn is no text), genuine reasoning inside <think>, something inside <answer>.

    swr1 verify format rollouts.jsonl                       # strict
    swr1 verify format rollouts.jsonl --grader published    # tags only, as the published code
    swr1 verify format rollouts.jsonl --grader tools        # calls, several thoughts, a confidence

What counts as reasoning is kept simple, since how good it is the answer shows:
* at least `min_reasoning` words that are not mere talk about reasoning ("thinking process here",
  "..."); one is enough by default, so that a policy that answers at once, with "guess", keeps the
  form and has to find out by itself that thinking pays;
* not only copied: at least one sentence stands neither in the prompt nor in the answer.
"""

import re
from functools import lru_cache
from itertools import islice

from swr1.records import Record
from swr1.registry import check_known
from swr1.tags import CONFIDENCE, REASONING
from swr1.types import Verdict
from swr1.verifiers.completions import published
from swr1.verifiers.completions.blocks import Blocks, blocks_of
from swr1.verifiers.completions.text import (
    INVISIBLE,
    assistant_text,
    bare,
    is_truncated,
    prompt_text,
)
from swr1.verifiers.verdicts import verdict

GRADERS = ("strict", "published", "tools")
BY = "format@2"
LABELS = {
    "ok": 1,
    "missing-tag": 0,
    "repeated-tag": 0,
    "odd-tag": 0,
    "tag-order": 0,
    "outside-text": 0,
    "no-reasoning": 0,
    "placeholder": 0,
    "short-reasoning": 0,
    "copied": 0,
    "empty-answer": 0,
    "no-confidence": 0,
}

_ANY_TAG = re.compile(r"<\s{0,3}/?\s{0,3}(?:think|answer)\s{0,3}/?\s{0,3}>", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[^.!?;\n。！？；]+")
_SENTENCES_CHECKED = 200  # for being copied; bounds the time of a hostile text

# Text made only of these words is about reasoning and does none.
_EMPTY_TALK = """a as be begin blank by detailed empty etc goes here i in insert is it let logic me my n na
none nothing now null of omitted placeholder placeholders process reason reasoning reasonings s
should step steps tbd text that the think thinking thought thoughts this to todo us we will work
write you your 思考 推理 思考过程 推理过程 此处 这里 在此 略 省略"""
_TALK = frozenset(_EMPTY_TALK.split())


def verify(
    record: Record,
    *,
    grader: str = "strict",
    min_reasoning: int = 1,
    prefill: str = "",
    header: str = "chatml",
    tools: str = "search,read,calculator",
    confidence: bool = True,
) -> Verdict:
    """A verdict with score 1.0 or 0.0; the label is "ok" or the first reason in `detail.reasons`.

    Args:
        record: has `completion`; `generation.prefill` and `prompt` are used when there.
        grader: "strict", "published" for the rule of Logic-RL's code, or "tools" for the form that
            `completions.blocks` describes.
        min_reasoning: words that <think> must hold at least; 0 accepts an empty one. (strict)
        prefill: the opening of the turn, for records that do not say it.
        header: how the turn was opened, see `completions.published`. (published)
        tools: the tags that are calls. (tools)
        confidence: whether one must be stated. (tools)

    Raises DataError without a completion, UsageError for an unknown grader or header.

    Reasons: missing-tag, repeated-tag, odd-tag (another case or spacing), tag-order, outside-text,
    no-reasoning, placeholder, short-reasoning, copied, empty-answer, no-confidence.
    """
    check_known("grader", grader, GRADERS)
    if grader == "published":
        whole = published.decoded(record, prefill, header)
        reasons = published.format_faults(published.after_header(whole)[1])
    elif grader == "tools":
        names = frozenset(("think", "answer", CONFIDENCE, *tools.replace(" ", "").split(",")))
        blocks = blocks_of(assistant_text(record, prefill), names, confidence)
        reasons = _faults_of_blocks(record, blocks, min_reasoning)
    else:
        reasons = _strict_faults(record, assistant_text(record, prefill), min_reasoning)
    return verdict(
        BY,
        0.0 if reasons else 1.0,
        reasons[0] if reasons else "ok",
        reasons=reasons,
        truncated=is_truncated(record),
        grader=grader,
    )


def _strict_faults(record: Record, text: str, min_reasoning: int) -> list[str]:
    tags = _well_placed(text)
    faults: list[str] = []
    if tags is None:
        faults, tags = _tag_faults(text)
    if tags is None:
        return faults
    think, end_think, answer, end_answer = tags
    thinking = text[think + 7 : end_think]
    result = bare(text[answer + 8 : end_answer])
    around = (text[:think], text[end_think + 8 : answer], text[end_answer + 9 :])
    if any(part.translate(INVISIBLE).strip() for part in around):
        faults.append("outside-text")
    if min_reasoning > 0 and (fault := _reasoning_fault(record, thinking, result, min_reasoning)):
        faults.append(fault)
    if not _WORD.search(result):
        faults.append("empty-answer")
    return faults


def _faults_of_blocks(record: Record, blocks: Blocks, min_reasoning: int) -> list[str]:
    faults = list(blocks.faults)
    thinking = "\n".join(blocks.texts("think"))
    result = bare("\n".join(blocks.texts("answer")))
    if min_reasoning > 0 and (fault := _reasoning_fault(record, thinking, result, min_reasoning)):
        faults.append(fault)
    if "missing-tag" not in faults and not _WORD.search(result):
        faults.append("empty-answer")
    return faults


def _well_placed(text: str) -> tuple[int, ...] | None:
    """The places of the tags in a well-formed text (four "<", all of them ours), by substrings."""
    if text.count("<") != 4:
        return None
    think = text.find("<think>")
    end_think = text.find("</think>", think + 7)
    answer = text.find("<answer>", end_think + 8)
    end_answer = text.find("</answer>", answer + 8)
    return (
        (think, end_think, answer, end_answer)
        if -1 < think < end_think < answer < end_answer
        else None
    )


def _tag_faults(text: str) -> tuple[list[str], tuple[int, ...] | None]:
    """What is wrong with the tags, and where they stand if each is there once, in order."""
    counts = [text.count(tag) for tag in REASONING]
    faults = ["missing-tag"] if 0 in counts else []
    if max(counts) > 1:
        faults.append("repeated-tag")
    if sum(1 for _ in _ANY_TAG.finditer(text)) > sum(counts):
        faults.append("odd-tag")
    if 0 in counts or max(counts) > 1:
        return faults, None
    places = tuple(text.find(tag) for tag in REASONING)
    if list(places) != sorted(places):
        return [*faults, "tag-order"], None
    return faults, places


def _reasoning_fault(record: Record, thinking: str, result: str, least: int) -> str | None:
    content, word = 0, None
    for word in _WORD.finditer(thinking):
        content += word[0].casefold() not in _TALK
        if content >= least:
            break
    else:
        if word is None:
            return "no-reasoning"
        return "short-reasoning" if content else "placeholder"
    prompt, answer = prompt_text(record).casefold(), result.casefold()
    for sentence in islice(_SENTENCE.finditer(thinking), _SENTENCES_CHECKED):
        words = _WORD.findall(sentence[0].casefold())
        if words and not (_holds(prompt, words) or _holds(answer, words)):
            return None
    return "copied"


def _holds(source: str, words: list[str]) -> bool:
    """Whether a text in lower case holds these words in a row, whatever stands between them."""
    # most sentences have a word that is nowhere in the source: no need to split that into words
    return all(map(source.__contains__, words)) and f" {' '.join(words)} " in _words(source)


@lru_cache(maxsize=256)  # one prompt has many samples, one result many sentences
def _words(text: str) -> str:
    """The words alone, each between spaces: " zoey is a knight "."""
    return f" {' '.join(_WORD.findall(text))} "

"""What can be seen in one completion without understanding it: its parts, its markers, its claims.

    parts = split(prefill + completion)        # reasoning, answers, what stands outside
    worlds = assignments(parts.reasoning, claims)   # complete "who is what" lists, in order

Every measure is simple enough to be checked by eye; none of them judges. The verdicts do that.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from swr1.analysis.words import CJK

_TAG = re.compile(r"<(/?)(think|answer)>")
_WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+(?:['’-][^\W{CJK}]+)*")
_NGRAM = 4  # words in a row whose repetition is counted
_PROMPT_NGRAM = 6  # the same for what is copied from the prompt
_REPETITIVE = 0.5  # share of repeated n-grams from which a completion counts as repetitive
_COPIED = 0.5  # share of the prompt's n-grams from which the reasoning counts as a copy of it
_EMPTY = 5  # fewer words of reasoning than this are none

# Words for the two kinds of people beside the puzzle's own, the truth teller's first.
_SYNONYMS = (
    ("honest", "truthful", "truth-teller", "truth teller", "truthteller", "诚实", "老实人"),
    ("liar", "dishonest", "骗子", "说谎者"),
)
# "Zoey says that Oliver is a knave" claims nothing of its own.
_REPORTED = re.compile(
    r"\b(?:sa(?:ys?|id|ying)|claim(?:s|ed|ing)?|state[sd]?|stating|statements?|tells?|told|"
    r"assert(?:s|ed)?|declare[sd]?|according)\b|[说說]|声称|表示"
)
_CLAUSE = re.compile(r"[^.;!?\n。；！？]+")
_MARKUP = str.maketrans("", "", "*`#")


class Parts(NamedTuple):
    """A completion taken apart. Texts are stripped; `outside` is all that no block holds."""

    reasoning: str
    answers: list[str]
    outside: str
    tagged: bool  # False: no tag at all, everything is reasoning
    thinks_again: bool  # a <think> opens after an </answer>


def split(text: str) -> Parts:
    """Blocks of <think> and <answer>; one left open ends with the next tag or with the text.

    Where the prompt opened <think> and the record does not say so, a </think> without its
    beginning closes what stands before it.
    """
    tags = list(_TAG.finditer(text))
    if not tags:
        return Parts(text.strip(), [], "", False, False)
    first = tags[0]
    inside = "think" if first[1] and first[2] == "think" else ""
    thoughts: list[str] = []
    answers: list[str] = []
    outside: list[str] = []
    holders = {"think": thoughts, "answer": answers, "": outside}
    at, answered, again = 0, False, False
    for tag in tags:
        holders[inside].append(text[at : tag.start()])
        closes, name = tag.groups()
        inside = "" if closes else name
        answered |= name == "answer" and bool(closes)
        again |= answered and name == "think" and not closes
        at = tag.end()
    holders[inside].append(text[at:])
    return Parts(
        "\n".join(thoughts).strip(),
        [answer.strip() for answer in answers],
        "\n".join(piece.strip() for piece in outside if piece.strip()),
        True,
        again,
    )


def words_of(text: str) -> list[str]:
    """Words in lower case; a character of Chinese, Japanese or Korean is a word."""
    return _WORD.findall(text.lower())


def repeated(words: Sequence[str], n: int = _NGRAM) -> tuple[int, int]:
    """(n-grams that occurred before, n-grams): 1 - distinct-n (Li et al. 2016) as two counts."""
    grams = list(zip(*(words[i:] for i in range(n)), strict=False))
    return len(grams) - len(set(grams)), len(grams)


def copies(words: Sequence[str], prompt: Sequence[str]) -> bool:
    """Whether the reasoning contains the prompt: at least half of its runs of six words."""
    n = _PROMPT_NGRAM
    prompt_ngrams = set(zip(*(prompt[i:] for i in range(n)), strict=False))
    copied = prompt_ngrams & set(zip(*(words[i:] for i in range(n)), strict=False))
    return bool(prompt_ngrams) and len(copied) >= _COPIED * len(prompt_ngrams)


class Claims(NamedTuple):
    """How "Zoey is a knight" may be written, for the people of one puzzle."""

    pattern: re.Pattern[str]
    people: dict[str, int]
    roles: dict[str, bool]  # word -> whether it means the truth teller


def claims_of(record: dict[str, Any]) -> Claims | None:
    """For a record of Knights and Knaves; None for any other."""
    answer = record.get("answer")
    if record.get("task") != "knights" or not isinstance(answer, list):
        return None
    try:
        names = tuple(str(name) for name, _ in answer)
        used = {str(role).lower() for _, role in answer}
    except (TypeError, ValueError):
        return None
    pair = (record.get("info") or {}).get("roles")
    if not isinstance(pair, list) or len(pair) != 2:
        pair = ["knight", "knave"] if used <= {"knight", "knave"} else sorted(used)
    return _claims(names, tuple(str(word).lower() for word in pair)) if len(pair) == 2 else None


@lru_cache(maxsize=1024)
def _claims(names: tuple[str, ...], pair: tuple[str, ...]) -> Claims:
    roles = {
        word: truth for truth, words in zip((True, False), _SYNONYMS, strict=True) for word in words
    }
    roles |= {pair[0]: True, pair[1]: False}
    people = {name.lower(): i for i, name in enumerate(names)}
    is_ = (
        r"(?:\s*(?:[_:=|]|[-—–→]+>?)\s*(?:is\s+)?"
        r"|\s+(?:is|was|as|(?:must|has\s+to|would|should)\s+be|being)\s+"
        r"|'s\s+|\s+|\s*(?:必[须定]|一定|肯定|就|应该)?(?=不?是))"
    )
    pattern = re.compile(
        rf"(?<![^\W{CJK}])({_any(people)}){is_}(not\s+|不)?是?\s*(?:an?\s+|the\s+|一?[个個名位])?"
        rf"({_any(roles)})(?![^\W_{CJK}])"
    )
    return Claims(pattern, people, roles)


def _any(words: dict[str, Any]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def assignments(text: str, claims: Claims) -> list[tuple[bool, ...]]:
    """The complete assignments a text states, in order, one per list of claims about everybody.

    Claims are read from left to right. A list is complete when everybody has a role, and starts
    anew where somebody is given the other role. Clauses that report what people say are passed
    over; so is whatever is not written as NAME is a ROLE, NAME: ROLE or NAME_ROLE.
    """
    stated: list[tuple[bool, ...]] = []
    world: dict[int, bool] = {}
    for clause in _CLAUSE.findall(text.lower().translate(_MARKUP)):
        if _REPORTED.search(clause):
            continue
        for name, negated, role in claims.pattern.findall(clause):
            person = claims.people[name]
            truth = claims.roles[role] != bool(negated)
            if world.get(person, truth) != truth:
                world = {}
            world[person] = truth
            if len(world) == len(claims.people):
                stated.append(tuple(world[i] for i in range(len(world))))
                world = {}
    return stated


class Features(NamedTuple):
    """The features of one completion: its `markers`, and `amounts` that add up over completions."""

    markers: set[str]
    amounts: dict[str, int]
    tagged: bool
    length: int  # in words


# Sign -> its name in a table, in the order of the tables; docs/reasoning.md defines each.
MARKERS = {
    "no-reasoning": "no reasoning",
    "copies": "copies the question",
    "outside": "text outside tags",
    "answers": "several blocks",
    "guesses": "several answers",
    "thinks-again": "thinks again",
    "worlds": "several worlds",
    "departs": "answer departs",
    "repetitive": "repetitive",
    "foreign": "foreign script",
    "cut": "cut",
}


def label_of(sign: str) -> str:
    """What tables and pictures call "sign:outside", "word:wait" or "group:hesitation"."""
    kind, _, name = sign.partition(":")
    return MARKERS[name] if kind == "sign" else name


def features_of(text: str, prompt: str, claims: Claims | None) -> Features:
    """Signs and amounts of a whole assistant turn (prefill and completion) for a prompt's text."""
    parts = split(text)
    words, reasoning = words_of(_TAG.sub(" ", text)), words_of(parts.reasoning)
    again, grams = repeated(words)
    # Without <answer>, what follows </think> is the answer.
    blocks = parts.answers or ([parts.outside] if parts.outside else [])
    stated = assignments(parts.reasoning, claims) if claims else []
    answers = {_answer(block, claims) for block in blocks}
    given: set[Any] = set().union(*answers) if answers else set()
    final = next(
        (a for block in blocks[::-1] if claims for a in assignments(block, claims)[::-1]), None
    )
    sequence = [*stated, final] if final else stated
    markers = {
        "no-reasoning": len(reasoning) < _EMPTY,
        "copies": copies(reasoning, words_of(prompt)),
        "outside": bool(parts.outside and parts.answers),
        "answers": len(parts.answers) > 1,
        "guesses": len(given) > 1,
        "thinks-again": parts.thinks_again,
        "worlds": len(set(stated)) > 1,
        "departs": bool(final and stated and final != stated[-1]),
        "repetitive": bool(grams) and again >= _REPETITIVE * grams,
    }
    amounts = {
        "outside": len(parts.outside) if parts.answers else 0,
        "answers": len(parts.answers),
        "worlds": len(set(stated)),
        "changes": sum(a != b for a, b in pairwise(sequence)),
        "repeated": again,
        "ngrams": grams,
    }
    return Features(
        {s for s, present in markers.items() if present}, amounts, parts.tagged, len(words)
    )


def _answer(block: str, claims: Claims | None) -> frozenset[Any]:
    """What an answer block answers: its complete assignments, else its text without layout."""
    worlds = assignments(block, claims) if claims else []
    return frozenset(worlds or {" ".join(words_of(block))})

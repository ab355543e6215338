"""Is the completion written in one language, the wanted one?

    swr1 verify language rollouts.jsonl --set language.want=zh
    swr1 verify language rollouts.jsonl --set language.want=prompt   # the language of the prompt

The score is the share of letters that belong to the wanted language (a Chinese character counts as
three, about the letters of its word in English). By script first: Chinese characters are no English.
Languages that share a script are distinguished sentence by sentence, by the library py3langid. Code,
formulas, links, tags and quotations are left out.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from swr1.records import Record
from swr1.registry import check_known
from swr1.types import Verdict
from swr1.verifiers.completions.text import assistant_text, is_truncated, prompt_text
from swr1.verifiers.verdicts import null, verdict

BY = "language@1"
LABELS = {"ok": (0, 1), "mixed": (0, 1), "other": (0, 1)}

# The scripts a language is written in.
SCRIPTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        "en de fr es it pt nl pl cs sv da no fi hu ro tr vi id".split(), frozenset({"LATIN"})
    ),
    "zh": frozenset({"CJK"}),
    "ja": frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    "ko": frozenset({"HANGUL"}),
    **dict.fromkeys("ru uk bg".split(), frozenset({"CYRILLIC"})),
    **dict.fromkeys("ar fa".split(), frozenset({"ARABIC"})),
    "el": frozenset({"GREEK"}),
    "he": frozenset({"HEBREW"}),
    "hi": frozenset({"DEVANAGARI"}),
    "th": frozenset({"THAI"}),
}
_IDEOGRAM = 3  # letters that one Chinese character counts as
_ENOUGH_LETTERS = 12  # letters that a sentence needs for a decision between languages of one script
_MARGIN = 5.0  # by which another language's log-probability must be ahead
_LONGEST_WORD = 30  # letters; what is longer is no word of any language

_LEFT_OUT = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|\\\[.*?\\\]|\\\(.*?\\\)"
    r"|\\[a-zA-Z]+|https?://\S+|</?[a-zA-Z][^<>\n]{0,60}>"
    r"|\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|「[^」\n]{0,400}」|«[^»\n]{0,400}»",
    re.DOTALL,
)
_SENTENCE = re.compile(r"[^.!?。！？\n]+")
_WORD = re.compile(r"[^\W\d_]+")


def verify(
    record: Record,
    *,
    want: str = "en",
    least: float = 0.9,
    few: int = 10,
    quotes: bool = False,
    prefill: str = "",
) -> Verdict:
    """A verdict: "ok", "mixed" or "other"; the score is the share of the wanted language, 0..1.

    Args:
        record: has `completion`; `prompt` where its language is the expected one.
        want: a language code (a key of SCRIPTS), or "prompt".
        least: the share from which the label is "ok"; below 1 - least it is "other".
        few: with fewer letters than this nothing is judged.
        quotes: also count text in quotation marks.
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds `want`, `letters` (all that count), `scripts` (script -> share), `others` (language
    -> share, of sentences in other languages of the wanted script), `truncated`. The score is null
    where there are too few letters, and where the prompt's language is not known. Raises DataError
    without a completion, UsageError for an unknown language.
    """
    text = assistant_text(record, prefill)
    if want == "prompt":
        of_prompt = _language_of(prompt_text(record))
        if of_prompt is None:
            return null(BY, "the prompt's language is not known: it has too few letters")
        want = of_prompt
    check_known("language", want, SCRIPTS, ", prompt")
    scripts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    right = 0
    for sentence in _sentences(text, quotes):
        letters = _letters(sentence)
        scripts += letters
        mine = sum(letters[script] for script in SCRIPTS[want])
        other = _other(sentence, want) if mine >= _ENOUGH_LETTERS else None
        if other:
            others[other] += mine
        else:
            right += mine
    total = scripts.total()
    if want == "ja" and not scripts["HIRAGANA"] + scripts["KATAKANA"]:
        right = 0  # Chinese
    if total < few:
        return null(BY, f"{total} letters outside of code and formulas are too few to decide")
    share = right / total
    return verdict(
        BY,
        share,
        "ok" if share >= least else "other" if share < 1 - least else "mixed",
        want=want,
        letters=total,
        scripts={name: n / total for name, n in scripts.most_common()},
        others={name: n / total for name, n in others.most_common()},
        truncated=is_truncated(record),
    )


def _sentences(text: str, quotes: bool) -> list[str]:
    def without(match: re.Match[str]) -> str:
        return match[0] if quotes and match[0][0] in '"“「«' else " "

    return _SENTENCE.findall(_LEFT_OUT.sub(without, text))


def _letters(text: str) -> Counter[str]:
    """How many letters of each script a text has."""
    letters: Counter[str] = Counter()
    for word in _WORD.findall(text):
        script = Counter(map(_script, word))
        if len(word) > _LONGEST_WORD and not script["CJK"] + script["THAI"] + script["HIRAGANA"]:
            script = Counter({"none": len(word)})
        script["CJK"] *= _IDEOGRAM
        letters += script
    return letters


@lru_cache(maxsize=65536)
def _script(char: str) -> str:
    return unicodedata.name(char, "none").replace("-", " ").split()[0]


def _other(sentence: str, want: str) -> str | None:
    """The language of a sentence in the wanted script that is clearly not in the wanted language."""
    rivals = [code for code, scripts in SCRIPTS.items() if scripts & SCRIPTS[want]]
    if len(rivals) < 2 or want in ("zh", "ja"):
        return None
    ranked = dict(_rank(sentence))
    best = max(rivals, key=lambda code: ranked.get(code, float("-inf")))
    ahead = ranked.get(best, 0.0) - ranked.get(want, float("-inf"))
    return best if best != want and ahead > _MARGIN else None


def _rank(text: str) -> list[tuple[str, float]]:
    import py3langid

    return py3langid.rank(text)


def _language_of(text: str) -> str | None:
    """The language of a prompt, or None where it has too few letters."""
    letters: Counter[str] = Counter()
    for sentence in _sentences(text, quotes=True):
        letters += _letters(sentence)
    if letters.total() < _ENOUGH_LETTERS:
        return None
    script = (
        "KATAKANA" if letters["HIRAGANA"] + letters["KATAKANA"] else letters.most_common(1)[0][0]
    )
    codes = [code for code, scripts in SCRIPTS.items() if script in scripts]
    ranked = dict(_rank(text)) if len(codes) > 1 else {}
    return max(codes, key=lambda code: ranked.get(code, float("-inf")), default=None)

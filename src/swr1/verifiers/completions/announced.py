r"""Which words of a completion announce the option that it chose, in English and Chinese.

    "The answer is C", "Correct option: C", "Answer - C", "## Answer\n\nC", "I would pick C",
    "Option C is correct", "C is the right answer", "故选C", "选项C正确", {"answer": "C"}

Every pattern looks at a bounded stretch of text and does not go back in a list, so all take linear time.
"""

import re
from collections.abc import Iterator

_OPEN, _CLOSE = r"[\s*_`$\"'“‘(\[{（【<「\\]{0,8}+", r"[\s*_`$\"'”’)\]}）】>」.]{0,8}+"
_A_LETTER = rf"{_OPEN}(?-i:[A-Z])(?![A-Za-z'’])"
_NOUN = r"(?:option|choice|letter|alternative|answer)"
_SURE = r"(?:therefore|thus|hence|clearly|obviously|then|indeed|definitely|simply|surely|certainly|likely)"
_BE = (
    r"(?:is|are|was|(?:would|should|must|will|has to|can only|could only|seems? to|appears? to"
    r"|turns out to) be|[:：=→⇒]|[-–—=]>)"
)
_RIGHT = (
    r"(?:correct|right|best|proper|appropriate|final|chosen|selected|valid|only|most \w{1,12}|my)"
)

# What follows the last of these is the answer, whatever it is.
_ANSWER_IS = re.compile(
    rf"(?:\banswers?|\b{_RIGHT}[\s*_]{{1,3}}(?:option|choice|response|alternative|letter|pick|one)s?)"
    rf"(?:\s(?:choice|option|letter|here|(?:to|for|of) (?:the|this) (?:question|problem)))?[*_\"'\s)]{{0,4}}"
    rf"{_BE}(?:[\s*_]{{1,3}}(?:{_SURE}|most likely|probably|given by)\b,?)?"
    r"|【(?:正确|参考)?答案】|答案(?:应该|应当|应|就|只能)?(?:是|为|选|：|:)"
    r"|正确的?(?:选项|答案|选择|说法|一项)(?:应该|应当|应|就)?(?:是|为|：|:)|(?:正确|合适|符合题意)的是"
    r"|(?:故|应|应该|应当|所以|因此|我|本题|此题|可|当|只能|综上|最终)，?选(?:择|出)?(?:项|了|：|:)?",
    re.IGNORECASE,
)
# These only where a letter follows.
_LETTER_AFTER = re.compile(
    rf"(?:\banswers?[*_\s]{{0,4}}[-–—]|^[\s#*_>]{{0,8}}(?:the |my )?(?:(?:final|correct|right) )?answer[\s*_#-]{{0,8}}\n"
    rf"|\b(?:I|we)(?:['’](?:d|ll)| would| will| must| should| can)?(?: {_SURE})?"
    r" (?:choose|chose|pick|picked|select|selected|go with|opt for|answer|answered|vote for)"
    r"|\b(?:so|thus|hence|therefore|then),? it(?: is|['’]s| must be)"
    r"|(?:^|(?<=[.!?>\n]))[ \t]{0,3}[*_]{0,3}it(?: is|['’]s| must be)(?=[\s*_]{1,4}(?:option )?[(\[]?(?-i:[A-HJ-Z])"
    r"[)\]]?[*_]{0,3}(?:[.,;:!\n]|$| because| since))"
    r"|\b(?:so|thus|hence|therefore)[,:]?(?=[\s*_]{1,8}[(\[（]?(?-i:[A-Z])[)\]）]?[*_]{0,3}[.!]?\s*$)"
    r"|\b(?:choice|option|selected|selection|correct|pick)[*_\"'\s]{0,4}[:：]"
    r"|\b(?:antwort|réponse|respuesta|risposta|resposta)(?: ist| est| es| è| é)?[*_\s]{0,4}[:：]?"
    r"|(?:ответ|答え|正解|정답|답|答)\s{0,2}(?:是|は|은|는)?[:：]?|答案|(?<![\w可])选(?:择)?)"
    rf"[\s*_]{{0,8}}(?:{_NOUN}\s|选项|选)?(?={_A_LETTER})",
    re.IGNORECASE | re.MULTILINE,
)
# And where no such words are, "C is correct", of one option only.
_IS_RIGHT = re.compile(
    rf"(?:(?:\b{_NOUN}|选项)\s?)?(?<![A-Za-z'’])(?P<letters>{_OPEN}(?-i:[A-Z])(?![A-Za-z'’]){_CLOSE}"
    rf"(?:(?:and|or|,|、|和|与|或)\s?{_OPEN}(?-i:[A-Z])(?![A-Za-z'’]){_CLOSE}){{0,8}}+)\s?"
    rf"(?:(?:is|are|must be|would be|should be|seems|looks)(?: {_SURE})?(?: the)?(?: only| most)?"
    r" (?:correct|right|best|true|proper|answer|appropriate)|(?:选?项)?(?:是|为)?(?:正确|对的?(?=[。，,！\s]|$)))",
    re.IGNORECASE,
)
_ME = r"(?!I (?:think|believe|am|would|guess|do|don|did|was|have|will|ch[o]{1,2}se|pick|know|say|see|can|could)\b)"
_ONE = _ME + r"[(\[（【]?[A-Z](?![A-Za-z'’])[)\]）】]?"
_LIST = rf"{_ONE}(?: ?(?:[,，、/&;] ?(?:and |or |nor )?|and |or |nor |和|或|与) ?{_ONE}){{0,9}}+"
_WRONG = r"(?:wrong|false|incorrect|impossible|untrue|invalid|ruled out|excluded|eliminated)\b"
EXCLUDED = re.compile(  # "not A or B", "A is wrong": no second choice
    r"(?:(?i:\b(?:and |but )?(?:not|rather than|instead of|as opposed to|unlike|(?:ruling|ruled) out|excluding"
    r"|eliminating))|而不是|而非|并非|不是|不选|非|排除)"
    rf" ?(?i:options? |choices? |选项)?{_LIST}"
    rf"|{_LIST} ?(?:(?i:(?:(?:is|are|was|were|being) )?(?:both |all |clearly |simply |obviously )?{_WRONG}"
    rf"|(?:is|are|was|were) (?:not(?! {_WRONG})|no\b|too [a-z])|(?:isn|aren|doesn|don)['’]?t\b"
    r"|(?:does|do|can|could) ?not\b)|是?错|不对|不正确|不符)[^,，;；.。()（）]{0,80}"
)
# Not the article in "A square", nor the one who thinks.
SINGLE = re.compile(
    rf"(?<![A-Za-z']){_ME}(?!A (?!(?:is|are|or|and|was|also|too|if|but|may|might|could|as|nor)\b)[a-z]{{2}})"
    r"[A-Z](?![A-Za-z'])"
)
_DOUBT = re.compile(
    r"n['’]t\b|\b(?:not|if|whether|suppose|assuming|neither|nor|why|either|unless|doubt|unclear)\b|如果|若|不是|不知",
    re.IGNORECASE,
)
_JSON = re.compile(
    r"[\"'](?:(?:final|correct|my|selected)[_ ]?)?(?:answer|choice|option|letter|答案)[\"']\s{0,9}:\s{0,9}"
    r"(?:\"(?P<a>[^\"\n]{0,999})\"|'(?P<b>[^'\n]{0,999})'|\[(?P<c>[^\]\n]{0,999})\])",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"[\n。!！]|[?？](?!\s?(?:or|and|/|,)\b)|\.(?:\s|$)|<eoa>"
)  # <eoa>: of GAOKAO's own prompts


def announcement(text: str) -> str | None:
    """What the text announces as its answer last, to the end of the sentence; None without one."""
    if objects := list(_JSON.finditer(text)):
        last = objects[-1]
        return next(value for value in last.groups() if value is not None)
    *_, strong = [None, *_ANSWER_IS.finditer(text)]
    *_, weak = [None, *_LETTER_AFTER.finditer(text)]
    ends = [match.end() for match in (strong, weak) if match]
    if ends:
        rest = text[max(ends) :].lstrip(" \t\n\r:：*_#")
        return _SENTENCE_END.split(rest, maxsplit=1)[0]
    letters = list(_right(text))
    return " or ".join(sorted(set(letters))) if letters else None


def _right(text: str) -> Iterator[str]:
    """The letters that are said to be right."""
    matches = list(_IS_RIGHT.finditer(text))
    if len({match["letters"] for match in matches}) > 20:
        matches = []  # it goes through everything
    for match in {match["letters"]: match for match in matches}.values():
        clause = _SENTENCE_END.split(text[max(0, match.start() - 100) : match.start()])[-1]
        before = EXCLUDED.sub(" ", " ".join(clause.split()))
        if not _DOUBT.search(before):
            yield from SINGLE.findall(f"{before} {match['letters']}")

"""What of a completion its writer says in its own name: no code, no quotation, no one else's lines.

A story in which somebody refuses, a letter that declines, a sentence in quotation marks and a
string in a program hold the words of a refusal, and refuse nothing.
"""

import re
import unicodedata

from swr1.verifiers.completions.answers import ANSWER_TAG
from swr1.verifiers.completions.text import INVISIBLE
from swr1.verifiers.refusals.english import SHORT

_PLAIN = str.maketrans(
    dict.fromkeys("’‘＇´", "'") | dict.fromkeys("“”„«»＂", '"') | dict.fromkeys("*_#", "")
)
_BULLET = re.compile(r"^([ \t]*)[*•·][ \t]", re.M)
_WHO = re.compile(
    r"^\W*(?:assistant|ai|answer|response|bot|chatbot|reply|回答|助手|答)\s*[:：]\s*", re.I
)

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.S)
_INSIDE = r"(?:[^'\n]|(?<=\w)'(?=\w))"
_QUOTED = re.compile(
    rf"\"[^\"\n]{{1,600}}\"|(?<![\w)])'{_INSIDE}{{2,400}}'(?!\w)|「[^」]{{1,400}}」|『[^』]{{1,400}}』"
)
_SPEAKS = re.compile(r"\b(?:i|i'm|i'd|i'll|we|my|me)\b|我", re.I)
_SPEAKER = re.compile(
    r"^[ \t]*(?!(?:note|warning|disclaimer|answer|response|assistant|ai|step|important|tip|p\.?s)\b)"
    r"(?:[A-Z][\w.]*(?: [A-Z][\w.]*){0,2}|[一-鿿]{1,4}) ?(?:\([^)\n]{0,40}\) ?)?[:：][ \t]*(?P<line>\S.*)$",
    re.M,
)
_LINE_OF_QUOTE = re.compile(r"^[ \t]*>.*$", re.M)
# "Here is a polite letter:", and then whatever the letter says. And a letter without announcement.
_FRAME = re.compile(
    r"(?:\b(?:here(?:'s| is| are)|below is|this is)\b[^.!?\n]{0,60}?\b"
    r"(?:letters?|e-?mails?|messages?|reply|replies|responses?|refusals?|poems?|stor(?:y|ies)|dialogues?|scripts?|scenes?|drafts?"
    r"|notes?|texts?|lyrics|song|speech|monologues?|templates?|translations?|sentences?|phrases?|examples?|conversations?|haiku|limericks?)\b[^.!?\n]{0,80}[:\n]"
    r"|(?:以下|下面|这)是?[^。！？\n]{0,20}(?:信|邮件|回复|诗|故事|对话|剧本|例子|翻译|句子|草稿|模板)[^。！？\n]{0,20}[:：\n])",
    re.I,
)
_LETTER = re.compile(
    r"\A\W*(?:subject|re)\s*:|\A\W*dear (?!user|friend|sir or madam, i (?:can|am))[^\n]{1,60}[,:]\s*\n|\A\W*(?:尊敬的|亲爱的)(?!用户)[^\n]{1,20}[:：，,]\s*\n",
    re.I,
)
MARK, CODE = "\x00", "\x01"  # stand where a quotation or a piece of code was taken out


def plain_text(text: str) -> str:
    """An answer without the tags around it and without invisible characters."""
    return ANSWER_TAG.sub(" ", text).translate(INVISIBLE)


def says_nothing(text: str) -> bool:
    """Whether there is no letter, digit or sign that means something (an emoji does)."""
    return not any(c.isalnum() or unicodedata.category(c) == "So" for c in text)


def own_words(text: str) -> str:
    """The text with plain quotation marks and apostrophes and without markup; what is not its
    writer's own speech is replaced by MARK or CODE. Empty where all of it is a letter or an announced text.
    """
    text = _BULLET.sub(r"\1- ", text).translate(_PLAIN).lstrip()
    text = _WHO.sub("", text, count=1)
    if _LETTER.search(text):
        return ""
    if frame := _FRAME.search(text[:300]):
        text = text[: frame.end()]
    text = _LINE_OF_QUOTE.sub(MARK, _FENCED.sub(CODE, text))
    text = _unquoted(text)
    lines = list(_SPEAKER.finditer(text))
    names = {m[0].partition(":")[0] for m in lines}
    # Lines that do not speak are headings of a list.
    if len(names) > 1 and any(_SPEAKS.search(m["line"]) for m in lines):
        text = _SPEAKER.sub(MARK, text)
    return text


def _unquoted(text: str) -> str:
    """Remove quoted text, except a word or two that nobody speaks."""
    inner = text.strip()
    if inner[:1] == inner[-1:] == '"' and inner.count('"') == 2:
        return inner[1:-1]  # nothing but one quotation: that is how some answer

    def hide(match: re.Match[str]) -> str:
        quoted = match[0][1:-1]
        few = match[0][0] in "\"'" and len(quoted) <= 30 and quoted.count(" ") < 3
        few = few and not (_SPEAKS.search(quoted) or SHORT.fullmatch(quoted.strip(" .,!?")))
        return quoted if few else MARK

    return _QUOTED.sub(hide, text)

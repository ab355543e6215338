r"""Mathematical answers as people write them, brought to one spelling: named steps over LaTeX text.

A step takes a text and gives a text; `clean` runs them in order. What says nothing goes (colours,
sizes, delimiters, "the answer is"); what says the same is spelled the same (signs, fractions, digit
groups, repeating decimals, names of functions). Nothing here knows values. Every step is linear.
"""

import re
import unicodedata
from functools import lru_cache


class Unread(Exception):
    """A text that cannot be read to its end."""


_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?", re.ASCII)
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
_SIGNS = str.maketrans(
    {
        "−": "-", "–": "-", "‒": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "－": "-", "×": "\\times ",
        "·": "\\cdot ", "⋅": "\\cdot ", "∙": "\\cdot ", "÷": "/", "π": "\\pi ", "∞": "\\infty ", "≤": "\\le ",
        "≥": "\\ge ", "⩽": "\\le ", "⩾": "\\ge ", "≠": "\\ne ", "≡": "\\equiv ", "≈": "\\approx ",
        "°": "^\\circ ", "º": "^\\circ ", "˚": "^\\circ ", "℃": "^\\circ C", "℉": "^\\circ F",
        "∅": "\\emptyset ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "∨": "\\lor ", "∧": "\\land ",
        "±": "\\pm ", "∓": "\\mp ", "√": "\\sqrt ", "∠": "\\angle ", "△": "\\triangle ", "⊥": "\\perp ",
        "∥": "\\parallel ", "→": "\\to ", "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}",
        "ℚ": "\\mathbb{Q}", "ℂ": "\\mathbb{C}", "Ω": "\\Omega ", "\u2126": "\\Omega ", "µ": "\\mu ",
        "μ": "\\mu ", "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "∣": "\\mid ", "∖": "\\setminus ",
        "′": "'", "’": "'", "″": "''", "“": "", "”": "", "。": "", "、": ",", "✓": "", "✔": "",
        "■": "", "∎": "", "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ",
        "【": "(", "】": ")", "〈": "\\langle ", "〉": "\\rangle ", "\u200b": "", "\ufeff": "", "\u2061": "",
    }
)  # fmt: skip
_VULGAR = re.compile("(\\d?)([¼½¾⅐-⅞↉])")
_SCRIPTS = re.compile(f"[{''.join(_RAISED)}]+|[{''.join(_LOWERED)}]+")
_STYLE = re.compile(
    r"\\(?:left|right)\s*\.|\\(?:textcolor|color|colorbox)\s*(?:\[[^\[\]{}]*\])?\s*\{[^{}]*\}"
    r"|\\(?:[hv]?phantom|hspace\*?|vspace\*?|label|tag\*?|kern|mskip)\s*\{[^{}]*\}"
    r"|\\(?:displaystyle|textstyle|scriptstyle|scriptscriptstyle|boldsymbol|bm|pmb|mathbf|mathit|mathsf|mathtt"
    r"|underline|uline|emph|textnormal|tiny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge"
    r"|Huge|bf|it|sf|tt|bfseries|itshape|mathstrut|strut|limits|nolimits|mathord|mathopen|mathclose|mathrel"
    r"|mathbin|mathop|ensuremath|left|right|middle|[bB]igg?[lrm]?|checkmark|blacksquare|qed|hfill|cancel"
    r"|mathinner|mathpunct|relax|centering)(?![A-Za-z])"
    r"|\\(?:begin|end)\s*\{(?:equation|align|aligned|gather|center|displaymath|math|split)\*?\}",
)
_BRACE = re.compile(r"\\(?:under|over)brace(?=\s*\{(?:[^{}]|\{[^{}]*\})*\}(?!\s*[_^]))")
_END_OF_PROOF = re.compile(r"(?<=[\w})\]])(?:\\[ ,;:!]|\\q?quad|[~\s])*\\(?:square|Box)\s*$")
_SLANTED = re.compile(r"(?<![\w)}])\^\s*\{?(\d+)\}?\s*/\s*_\s*\{?(\d+)\}?")  # ^3/_4
_WORDS_MACRO = re.compile(
    r"\\(?:textbf|textit|texttt|textsf|textrm|textup|mbox|hbox|rm|mathup|textsc)\s*(?=\{)"
)
_ROMAN = re.compile(r"\{\s*\\(?:rm|text|mathrm)\s+([^{}]*)\}|\\rm(?![A-Za-z])\s*([A-Za-z]*)")
_DELIMITER = re.compile(r"\*\*|`|\\[()]|\\\[|\\\]")
_NO_SPACE = re.compile(r"\\!|\\negthinspace|\\allowbreak|\\nobreak(?![a-z])")
_SPACE = re.compile(r"(?<!\\)\\[,;: ]|\\[>/](?![A-Za-z])|\\(?:thinspace|medspace|thickspace|enspace|qquad|quad"
                    r"|nobreakspace|space)(?![A-Za-z])|~|\s+|(?:\\(?:text|mathrm)\s*)?\{\s*\}")  # fmt: skip
_CERTAIN_GROUP = re.compile(r"(?<=\d)(?:,?\\!,?|\{\s*,\s*\}|\{\s*\\[,!;: ]\s*\}|')(?=\d{3}(?!\d))")
_SPACED_GROUP = re.compile(r"(?<![\d.,^_])\d{1,3}(?: \d{3})+(?![\d.]*\s*/)(?!\d)")
_UNDERSCORED = re.compile(r"[-+]?\d{1,3}(?:_\d{3})+(?:\.\d+)?")
_NOT_LETTERS = re.compile(
    r"\\(?:text|mathrm)\s*\{([^A-Za-z{}\\]*(?:\\[%$]|\^\\circ)?[^A-Za-z{}\\]*)\}"
)
_OPERATOR = re.compile(r"\\(?:operatorname\*?|mathrm|text)\s*\{\s*([A-Za-z]+)\s*\}")
_ONE_LETTER = re.compile(r"\\operatorname\*?\s*\{\s*([A-Za-z])\s*\}")
_NAMES = {
    "tg": "tan", "ctg": "cot", "cotg": "cot", "ctan": "cot", "cosec": "csc", "arctg": "arctan", "atan": "arctan",
    "arcctg": "arccot", "arccotg": "arccot", "asin": "arcsin", "acos": "arccos", "sh": "sinh", "ch": "cosh",
    "th": "tanh", "cth": "coth", "sgn": "sgn", "sign": "sgn", "arccosec": "arccsc",
}  # fmt: skip
_FUNCTIONS = frozenset(
    """sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan arccot arcsec arccsc arsinh arcosh
    artanh arcsinh arccosh arctanh ln log lg lb exp gcd lcm max min det Re Im arg deg dim ker sgn rank
    tr""".split()
) | frozenset(_NAMES)
_UNITS_TOO = frozenset("min sec deg th ch lb tr".split())
_IN_BRACES = re.compile(r"\{\s*\\([A-Za-z]+)\s*\}(?=\s*[\\({A-Za-z\d])")
_DIFFERENTIAL = re.compile(r"\\(?:mathrm|text|operatorname)\s*\{\s*d\s*\}\s*(?=[A-Za-z\\])")
_PRIMES = re.compile(r"\^\s*\{\s*('[\s']*)\}|\^\s*(?=')")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_ONE_SPELLING = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "sfrac": "frac", "nicefrac": "frac", "lvert": "|",
    "rvert": "|", "vert": "|", "varnothing": "emptyset", "vee": "lor", "wedge": "land", "degree": "^\\circ ",
    "leqslant": "le", "geqslant": "ge", "leq": "le", "geq": "ge", "neq": "ne", "lt": "<", "gt": ">",
    "lbrace": "\\{", "rbrace": "\\}", "lbrack": "[", "rbrack": "]", "dots": "ldots", "cdots": "ldots",
    "dotsc": "ldots", "dotsb": "ldots", "rightarrow": "to", "lparen": "(", "rparen": ")", "minus": "-", "percent": "\\%",
    "textdegree": "^\\circ ", "textdollar": "\\$", "dollar": "\\$", "euro": "€", "texteuro": "€", "pounds": "£",
    "infinity": "infty", "colon": ":", "backslash": "setminus", "prime": "'", "i": "i", "lor": "lor",
    "imath": "i", "R": "mathbb{R}", "Z": "mathbb{Z}", "N": "mathbb{N}", "Q": "mathbb{Q}",
} | _NAMES  # fmt: skip
_OVER = re.compile(
    r"\{([^{}]*)\\(over|choose)(?![a-z])([^{}]*)\}|^([^{}]*)\\(over|choose)(?![a-z])([^{}]*)$"
)
_MODULO = re.compile(
    r"\(\s*(?:\\b?mod|\\text\s*\{\s*mod\s*\}|mod)(?![A-Za-z])\s*([^()]*)\)|\\b?mod(?![A-Za-z])"
)
_ANGLE = re.compile(r"\\ang\s*\{\s*(-?[\d.]+)\s*(?:;\s*([\d.]*)\s*)?(?:;\s*([\d.]*)\s*)?\}")
_DEGREE = re.compile(
    r"\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|(?<=\d)\s*\^\s*(?:o(?![A-Za-z])|\{\s*o\s*\}|\{?\s*\\(?:text|mathrm)\s*\{\s*o\s*\}\s*\}?)"
)
_SIGN_ALONE = re.compile(r"\{\s*([-+:])\s*\}")
_TYPED_AS = {
    "<=": "\\le ",
    ">=": "\\ge ",
    "!=": "\\ne ",
    "<>": "\\ne ",
    ":=": "=",
    "==": "=",
    "->": "\\to ",
}
_TYPED = re.compile("|".join(_TYPED_AS))
_REPEATING = re.compile(
    r"(?<![\d.])(\d*)\.(\d*)\s*(?:\\(?:overline|bar|dot)\s*(?:\{\s*(\d+)\s*\}|(\d))|\((\d+)\)"
    r"|(?:\.\.\.+|\\ldots|\{\\ldots\})(?![\dA-Za-z]))"
)
_DOTTED = re.compile(r"\\dot\s*\{?\s*(\d)\s*\}?\s*(\d*)\s*\\dot\s*\{?\s*(\d)\s*\}?")
_DOTS = re.compile(r"\.\.\.+")
_LEAD = re.compile(
    r"^(?:\\text\s*\{\s*)?(?:so\s+|thus\s+|hence\s+|therefore,?\s+)?(?:the\s+)?(?:final\s+|correct\s+)?"
    r"(?:answer|result|value|solution)(?:\s+is)?\s*(?:\}?\s*[:=]\s*|(?<=is)\s+|(?<=is)(?=\s*\})|\s+(?=[-\d\\$(]))\s*(?P<brace>\})?"
    r"|^(?:\\text\s*\{)?答案?(?:是|为)?:?\s*\}?|^(?:一共有?|总共有?|共有?|共计|合计)(?=\s*[\d一二三四五六七八九十百两])",
    re.I,
)
_STATED = re.compile(r"\\text\s*\{[^{}]*(?:\bis|=|:)\s*\}\s*(?=[-\d\\(])")
_HEDGED = re.compile(
    r"\b(?:not|no|never|less|more|most|least|between|about|approximately|either|neither|or|if)\b",
    re.I,
)
_NEGATIVE = re.compile(r"^(?:\\text\s*\{\s*)?(?:negative|minus)\s*\}?\s*(?=[\d\\.a-z])", re.I)
_WRAPPED = re.compile(r"^\\(?:text|mathrm)\s*\{([^{}]*)\}$")


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """An answer in one spelling, without what says nothing."""
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return text
    for step in STEPS:
        text = step(text)
    return text


def signs(text: str) -> str:
    """Unicode as plain signs and LaTeX: compatibility forms, raised digits, fractions, minus signs."""
    if text.isascii():
        return text

    def compatible(text: str) -> str:
        return unicodedata.normalize("NFKC", text).replace("\u2044", "/")

    text = _VULGAR.sub(lambda m: f"{m[1]} {compatible(m[2])}".strip(), text)
    text = _SCRIPTS.sub(_script, text)
    return compatible(text.translate(_SIGNS)).translate(_SIGNS)


def _script(match: re.Match[str]) -> str:
    raised = match[0][0] in _RAISED
    table = _RAISED if raised else _LOWERED
    return ("^{" if raised else "_{") + "".join(table[c] for c in match[0]) + "}"


def dollars(text: str) -> str:
    r"""Math delimiters go; a dollar sign that is money becomes "\$"."""
    if "$" in text:
        text = text.replace("\\$", "\0")
        alone = text.count("$") % 2 and re.match(
            r"[-+]?\s*\$\s*-?[\d.]|.*\d\s*\$$", text, re.DOTALL
        )
        text = text.replace("$", "\0" if alone and text.count("$") == 1 else "").replace(
            "\0", "\\$"
        )
    return _DELIMITER.sub("", text)


def styles(text: str) -> str:
    """Colours, sizes, fonts, phantoms, boxes: what they hold stays, in braces where it had them."""
    if "\\" not in text:
        return text
    text = _END_OF_PROOF.sub("", _BRACE.sub(" ", _STYLE.sub(" ", text)))
    text = _WORDS_MACRO.sub(r"\\text", text)
    text = _ROMAN.sub(lambda m: f"\\mathrm{{{m[1] if m[1] is not None else m[2]}}}", text)
    return text.replace("\\mathrm{}", " ")


def spaces(text: str) -> str:
    r"""One blank for every kind of space; "\!" is none; what certainly groups digits goes."""
    text = _CERTAIN_GROUP.sub("", text)
    text = _SPACE.sub(" ", _NO_SPACE.sub("", text)).strip()
    if _UNDERSCORED.fullmatch(text):
        return text.replace("_", "")
    return _SPACED_GROUP.sub(lambda m: m[0].replace(" ", ""), text)


def spellings(text: str) -> str:
    r"""One command for one thing: "\dfrac" is "\frac", "\operatorname{tg}" is "\tan"."""
    text = _TYPED.sub(lambda m: _TYPED_AS[m[0]], text)
    if not any(mark in text for mark in "\\^{"):
        return text
    text = _SLANTED.sub(r"\\frac{\1}{\2}", text)
    text = _OPERATOR.sub(_operator, text)
    text = _IN_BRACES.sub(lambda m: f"\\{m[1]} " if m[1] in _FUNCTIONS else m[0], text)
    text = _DIFFERENTIAL.sub("d", text)
    text = _ONE_LETTER.sub(r" \1 ", text)
    text = _COMMAND.sub(_one_spelling, text)
    text = _PRIMES.sub(lambda m: (m[1] or "").replace(" ", ""), text)
    text = _OVER.sub(_over, text)
    if "\\equiv" in text:
        text = _MODULO.sub(lambda m: f"\\pmod{{{m[1]}}}" if m[1] else "\\pmod ", text)
    text = _ANGLE.sub(
        lambda m: f"{m[1]}^\\circ" + (f"{m[2]}'" if m[2] else "") + (f"{m[3]}''" if m[3] else ""),
        text,
    )
    text = _NOT_LETTERS.sub(r" \1 ", _DEGREE.sub("^\\\\circ ", text))
    text = re.sub(r"(?<![A-Za-z\\])m\s*(?=\\angle)", "", text)  # the measure of an angle
    return _SIGN_ALONE.sub(r"\1", text)


def _operator(match: re.Match[str]) -> str:
    """A function's name in its own command; behind a number "min" and "sec" are units."""
    behind = match.string[: match.start()].rstrip()[-1:].isdigit()
    if match[1] not in _FUNCTIONS or (behind and match[1] in _UNITS_TOO):
        return match[0]
    return f"\\{match[1]} "


def _one_spelling(match: re.Match[str]) -> str:
    name = _ONE_SPELLING.get(match[1])
    if name is None:
        return match[0]
    return f"\\{name}" if name[0].isalpha() and match[1] not in ("i", "imath") else name


def _over(match: re.Match[str]) -> str:
    top, how, bottom = match.group(1, 2, 3) if match[2] else match.group(4, 5, 6)
    return f"\\{'frac' if how == 'over' else 'binom'}{{{top.strip()}}}{{{bottom.strip()}}}"


def repeating(text: str) -> str:
    r"""Repeating decimals as fractions: "0.1\overline{6}", "0.(3)", "0.333..."."""
    if "." not in text:
        return text
    text = _REPEATING.sub(_as_fraction, _DOTTED.sub(r"\\overline{\1\2\3}", text))
    return _DOTS.sub(r"\\ldots ", text)


def _as_fraction(match: re.Match[str]) -> str:
    whole, first = match[1], match[2]
    block = match[3] or match[4] or match[5]
    if not block:  # dots: the block that the digits end with, twice, or three times for one digit
        period = next((n for n in range(1, len(first) // 2 + 1) if _repeats(first, n)), None)
        if period is None:
            return match[0]
        first, block = first[: -2 * period], first[-period:]
    nines = (10 ** len(block) - 1) * 10 ** len(first)
    top = int(whole + first + block) - int(whole + first or "0")
    return f"\\frac{{{top}}}{{{nines}}}"


def _repeats(digits: str, n: int) -> bool:
    times = 3 if n == 1 and len(set(digits)) > 1 else 2
    return len(digits) >= times * n and digits[-times * n :] == digits[-n:] * times


def leads(text: str) -> str:
    """ "The answer is" before it, a full stop after it, a minus sign in words."""
    text = text.strip(" ").rstrip(".,;").strip()
    lead = _LEAD.match(text)
    if lead and text[lead.end() :].strip():
        brace = lead[0].startswith("\\text") and "}" not in lead[0]
        text = (
            text[lead.end() :].replace("}", "", 1).strip() if brace else text[lead.end() :].strip()
        )
    announced = _STATED.match(text)
    if announced and not _HEDGED.search(announced[0]) and text[announced.end() :].strip():
        text = text[announced.end() :]
    text = _NEGATIVE.sub("-", text)
    wrapped = _WRAPPED.match(text)
    if wrapped and (_UNWRAPPED.fullmatch(wrapped[1]) or any(map(str.isdigit, wrapped[1]))):
        return leads(wrapped[1])
    return " ".join(text.split()).rstrip(".,;").strip()


_UNWRAPPED = re.compile(r"\s*(?:the answer.*|[^A-Za-z]*[A-Za-z][^A-Za-z]*)", re.I)
STEPS = (dollars, styles, spaces, signs, spellings, spaces, repeating, leads)


_TOKEN = re.compile(
    r"\\(?:text|mathrm|mathcal|mathbb|mathfrak|mathscr|operatorname)\s*\{[^{}]*\}"
    r"|\\(?:begin|end)\s*\{[a-z]+\*?\}|\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\.\d+|[A-Za-z]+|\S",
    re.DOTALL,
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])")


def tokens(text: str) -> list[str]:
    """The marks of a text; digits grouped by commas are one where no bracket makes them a list."""
    marks: list[str] = []
    depth = at = 0
    while match := _TOKEN.search(text, at):
        token, at = match[0], match.end()
        grouped = _GROUPED.match(text, match.start()) if token.isdigit() and not depth else None
        if grouped:
            token, at = grouped[0].replace(",", ""), grouped.end()
        depth += (token in ("(", "[", "\\{")) - (token in (")", "]", "\\}"))
        marks.append(token)
    return marks

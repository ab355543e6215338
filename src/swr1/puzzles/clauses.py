"""One clause of a puzzle's text as a statement: the grammars of English and Chinese clauses.

Names stand in a clause as one private character each (`reading.py` replaces them), so that a name
may hold spaces, dots or words of the language. A clause is cut into tokens, "X is a knight" being
one, and lark's LALR parser makes the statement. LALR accepts a grammar only if every text has at
most one reading under it; what people could read in two ways ("A and B or C") is not in it.
"""

import re
from functools import lru_cache
from typing import Any

from swr1.errors import DataError
from swr1.puzzles.roles import Roles

FIRST = 0xF0000  # the character of person 0
NAME = "[\U000f0000-\U000ffffd]"

# A `mid` part is closed at both ends; a `tail` may be open at its end ("if ..."), so it comes last.
# Commas separate the parts of a `listed` clause, none separates those of a `flat` one.
_SHARED = """
?start: clause
?tail: mid | open
?implies: _IF cond _THEN tail -> implies
flat: closed (_AND closed)+ -> conj | closed (_OR closed)+ -> disj | closed _IFF closed -> iff
listed: mid (_C_AND mid)* _C_AND tail -> conj
      | mid (_C_OR mid)* _C_OR tail -> disj
      | mid _C_IFF tail -> iff
?leaf: KNIGHT -> knight | KNAVE -> knave | NO_KNIGHT -> no_knight | NO_KNAVE -> no_knave
%declare KNIGHT KNAVE NO_KNIGHT NO_KNAVE _AND _OR _IFF _C_AND _C_OR _C_IFF _IF _THEN _NOT _OPEN _CLOSE
"""
_ENGLISH = """
?clause: mid | flat | listed | open
?cond: mid | flat | _NOT cond -> neg
?open: implies | _NOT tail -> neg
?mid: closed | _BOTH closed _AND closed -> conj | _EITHER closed _OR closed _OR_BOTH -> disj
?closed: leaf | _OPEN clause _CLOSE
%declare _BOTH _EITHER _OR_BOTH
"""
_CHINESE = """
?clause: mid | listed | open
?cond: mid
?open: implies
?mid: closed | flat
?closed: leaf | _OPEN clause _CLOSE | _NOT _OPEN clause _CLOSE -> neg
"""
# Terminal -> its words; the order matters where one begins like another.
_WORDS = {
    "en": {
        "_C_IFF": r",\s+if\s+and\s+only\s+if\b",
        "_C_AND": r",\s+and\b",
        "_C_OR": r",\s+or\b",
        "_IFF": r"if\s+and\s+only\s+if\b|iff\b",
        "_AND": r"and\b",
        "_OR_BOTH": r"or\s+both\b",
        "_OR": r"or\b",
        "_IF": r"if\b",
        "_THEN": r"(?:,\s+)?then\b",
        "_NOT": r"it\s+is\s+not\s+the\s+case\s+that\b|not\b",
        "_BOTH": r"both\b",
        "_EITHER": r"either\b",
        "_OPEN": r"\(",
        "_CLOSE": r"\)",
    },
    "zh": {
        "_C_IFF": "，当且仅当",
        "_C_AND": "，并且",
        "_C_OR": "，或者",
        "_IFF": "当且仅当",
        "_AND": "并且",
        "_OR": "或者",
        "_IF": "如果",
        "_THEN": "，那么",
        "_NOT": "并非",
        "_OPEN": "[（(]",
        "_CLOSE": "[）)]",
    },
}
_GRAMMARS = {"en": _SHARED + _ENGLISH, "zh": _SHARED + _CHINESE}


@lru_cache
def _parser(language: str) -> Any:
    """tokens -> statement, by lark's LALR, which checks at its making that there is one reading."""
    from lark import Lark, Transformer
    from lark.lexer import Lexer

    class AsTheyAre(Lexer):
        def __init__(self, conf: Any) -> None:
            pass

        def lex(self, data: Any) -> Any:  # type: ignore[override]
            return iter(data)

    def leaf(build: Any) -> Any:
        return lambda self, parts: build(ord(parts[0]) - FIRST)

    def inner(kind: str) -> Any:
        return lambda self, parts: (kind, *parts)

    kinds = {"conj": "and", "disj": "or", "neg": "not", "implies": "implies", "iff": "iff"}
    methods = {rule: inner(kind) for rule, kind in kinds.items()} | {
        "knight": leaf(lambda i: ("knight", i)),
        "knave": leaf(lambda i: ("knave", i)),
        "no_knight": leaf(lambda i: ("not", ("knight", i))),
        "no_knave": leaf(lambda i: ("not", ("knave", i))),
    }
    build = type("Build", (Transformer,), methods)()
    lark = Lark(_GRAMMARS[language], parser="lalr", lexer=AsTheyAre, transformer=build)
    return lark.parse


@lru_cache(maxsize=256)
def claims_pattern(roles: Roles, language: str) -> re.Pattern:
    """ "X is (not) a knight": groups X, not, and the truth teller's or the liar's word."""
    truth, liar = re.escape(roles.truth), re.escape(roles.liar)
    if language == "zh":
        return re.compile(rf"({NAME})\s*(不)?是(?:一?[个名位])?(?:({truth})|({liar}))")
    return re.compile(rf"({NAME})\s+is\s+(not\s+)?an?\s+(?:({truth})|({liar}))(?!\w)")


@lru_cache(maxsize=256)
def _lexer(roles: Roles, language: str) -> re.Pattern:
    words = "|".join(rf"(?P<{name}>{word})" for name, word in _WORDS[language].items())
    claim = claims_pattern(roles, language).pattern
    return re.compile(rf"\s*(?:{claim}|(?i:{words}))")


@lru_cache(maxsize=1 << 14)
def parse_clause(clause: str, roles: Roles, language: str) -> tuple:
    """The statement of a clause in which names are single characters. Raises DataError."""
    from lark import Token
    from lark.exceptions import UnexpectedInput

    pattern, tokens, at = _lexer(roles, language), [], 0
    clause = clause.strip()
    while at < len(clause):
        match = pattern.match(clause, at)
        if match is None:
            unknown = short(clause[at:].strip())
            raise DataError(f"not understood: {unknown} (an unknown person, role or connective)")
        name, denied, truth, _ = match.groups()[:4]
        if name:
            kind = ("NO_" if denied else "") + ("KNIGHT" if truth else "KNAVE")
            tokens.append(Token(kind, name, at))
        else:
            tokens.append(Token(match.lastgroup or "", match[0], at))
        at = match.end()
    try:
        return _parser(language)(tokens)
    except UnexpectedInput as error:
        token = getattr(error, "token", None)
        at = token.start_pos if token is not None and token.type != "$END" else len(clause)
        raise DataError(_why(clause, at or 0)) from None


def _why(clause: str, at: int) -> str:
    if re.search(r"\beither\b", clause, re.I) and not re.search(r"\bor both\b", clause):
        return 'does "either" allow both? Say "either ... or ... or both"'
    if at >= len(clause):
        return "it ends in the middle of a statement"
    hint = ""
    if re.search(r"\b(and|or|then|if|case that)\b|并且|或者|那么|当且仅当", clause[:at], re.I):
        hint = " (connectives without brackets, so it has several readings?)"
    return f"no single reading, stuck at {short(clause[at:].strip())}{hint}"


def short(text: str) -> str:
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'

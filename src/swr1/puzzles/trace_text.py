"""Steps as sentences and back: the texts of "search" and "propagate", in English and Chinese.

    tell(puzzle, "propagate", ["must", 0, False])     # "So Zoey must be a knave."
    read_steps("So Zoey must be a knave.", puzzle)    # [["must", 0, False]]

The same templates write and read. A line that a template fits, but that misstates the puzzle or its
own reasons ("As Zoey is a knave, it is true that ..."), is read as ["garbled"]; a line that none
fits as None. The language goes by the role words: Chinese ones make Chinese sentences.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from swr1.puzzles.case_analysis import read_try, read_world, tell_try, tell_world
from swr1.puzzles.item import Puzzle
from swr1.puzzles.roles import Roles
from swr1.puzzles.statements import mentioned
from swr1.puzzles.wording import CHINESE as WORDING_CHINESE
from swr1.puzzles.wording import ENGLISH as WORDING_ENGLISH
from swr1.puzzles.wording import clause, listed

Form = list[Any]

# {who}: whom the step is about; {role}: the role it gives them; {other}: the other role;
# {speaker}, {its}: whose words are used, and that person's role; {claim}: those words;
# {truth}, {untruth}: true or false, and the contrary; {given}: people with their roles.
ENGLISH = {
    "note": "Let me assume roles one person at a time and check every statement they settle.",
    "suppose": "Suppose {who} is {role}.",
    "so suppose": "So suppose {who} is {role}.",
    "fits": "Nothing said so far contradicts this.",
    "contradiction": "{who} says that {claim}. That would be {truth}, but {role} says only what is"
    " {untruth}, and {who} is taken to be {role}. This is a contradiction.",
    "short contradiction": "But {who}, {role}, says that {claim}, which would be {truth}:"
    " a contradiction.",
    "back": "Neither role works for {who}. Let me go back.",
    "must": "So {who} must be {role}.",
    "infer told": "As {speaker} is {its}, it is {truth} that {claim}; so {who} is {role}.",
    "infer told given": "As {speaker} is {its}, it is {truth} that {claim}; with {given}, {who} is"
    " {role}.",
    "infer speaker": "Whoever is what, it is {truth} that {claim}; so {who}, who says it, is"
    " {role}.",
    "infer speaker given": "With {given}, it is {truth} that {claim}; so {who}, who says it, is"
    " {role}.",
    "infer self": "If {who} were {other}, it would be {untruth} that {claim}, which cannot be; so"
    " {who} is {role}.",
    "infer self given": "If {who} were {other}, it would be {untruth} that {claim}, which cannot be"
    " with {given}; so {who} is {role}.",
    "infer either": "Whatever {speaker} is, {speaker} says that {claim}; so {who} is {role}.",
    "infer either given": "Whatever {speaker} is, {speaker} says that {claim}; with {given}, {who}"
    " is {role}.",
    "placed": "Now everyone has a role. Let me check all the statements.",
    "check": "{who}, {role}, says that {claim}: {truth}, as it should be.",
    "conclude": "So {given}.",
}
CHINESE = {
    "note": "我逐个假设每个人的身份，并检验由此能判断的话。",
    "suppose": "假设{who}是{role}。",
    "so suppose": "那么假设{who}是{role}。",
    "fits": "到目前为止没有矛盾。",
    "contradiction": "{who}说：{claim}。这就是{truth}的，而{role}只说{untruth}话，{who}又被当作"
    "{role}，矛盾。",
    "short contradiction": "但是{who}是{role}，却说：{claim}，而这是{truth}的，矛盾。",
    "back": "{who}的两种身份都不成立，退回上一步。",
    "must": "所以{who}必定是{role}。",
    "infer told": "因为{speaker}是{its}，所以“{claim}”是{truth}的，因此{who}是{role}。",
    "infer told given": "因为{speaker}是{its}，所以“{claim}”是{truth}的，又知{given}，因此{who}是"
    "{role}。",
    "infer speaker": "无论如何，“{claim}”是{truth}的，因此说这话的{who}是{role}。",
    "infer speaker given": "已知{given}，“{claim}”是{truth}的，因此说这话的{who}是{role}。",
    "infer self": "如果{who}是{other}，“{claim}”就是{untruth}的，这不可能，因此{who}是{role}。",
    "infer self given": "如果{who}是{other}，“{claim}”就是{untruth}的，但已知{given}，这不可能，"
    "因此{who}是{role}。",
    "infer either": "无论{speaker}是什么身份，由其所说的“{claim}”可知{who}是{role}。",
    "infer either given": "无论{speaker}是什么身份，由其所说的“{claim}”和{given}可知{who}是{role}。",
    "placed": "现在每个人都有了身份，下面检验所有的话。",
    "check": "{who}是{role}，说：{claim}，这是{truth}的，符合身份。",
    "conclude": "所以{given}。",
}
LONGEST = 20_000  # characters of a line that can be a step; bounds the time of a hostile text
TEMPLATES = {"en": ENGLISH, "zh": CHINESE}
TRUTH = {"en": ("false", "true"), "zh": ("假", "真")}
IS = {"en": "{0} is {1}", "zh": "{0}是{1}"}  # somebody's role, as in a conclusion
A_KNOWN = {"en": "{0} {1}", "zh": "{0}是{1}"}  # and as a reason: "with Ben a knave"


def language_of(roles: Roles) -> str:
    """ "zh" for Chinese role words, else "en"."""
    return "zh" if "\u3400" <= roles.truth[:1] <= "\u9fff" else "en"


def role_text(roles: Roles, role: bool) -> str:
    """A role as it stands in a sentence: "an angel", "天使"."""
    return roles.word(role) if language_of(roles) == "zh" else roles.a(role)


def role_sentence(name: str, word: str, roles: Roles) -> str:
    """ "Ben is an angel", of a role word."""
    return IS[language_of(roles)].format(name, role_text(roles, word == roles.truth))


def tell(puzzle: Puzzle, style: str, form: Form) -> str:
    """The sentence of a step. `style` decides between the templates that say the same."""
    if form[0] == "try":
        return tell_try(puzzle, form)
    if form[0] == "conclude" and style in ("cases", "hasty"):
        return f"so {tell_world(puzzle, form[1])}"
    if form[0] == "guess":
        return "guess"
    return _fill(puzzle, _key(puzzle, style, form), form)


def read_steps(text: str, puzzle: Puzzle) -> list[Form | None]:
    """The forms of a reasoning's lines, whatever the style; None for a line that is no step."""
    return [read_step(line.strip(), puzzle) for line in text.splitlines() if line.strip()]


def read_step(line: str, puzzle: Puzzle) -> Form | None:
    """The form of one line."""
    if line == "guess":
        return ["guess"]
    if form := read_try(puzzle, line):
        return form
    if line.startswith("so ") and (world := read_world(puzzle, line[3:])):
        return ["conclude", world]
    if len(line) > LONGEST:
        return None
    for key, pattern in _patterns(puzzle.roles, max(map(len, puzzle.names))).items():
        if (match := pattern.fullmatch(line)) and (
            form := _read(puzzle, key, match.groupdict(), line)
        ):
            return form
    return None


# --- forms to texts --------------------------------------------------------------------------


def _key(puzzle: Puzzle, style: str, form: Form) -> str:
    kind = form[0]
    if kind == "assume":
        return "so suppose" if style == "search" and not form[2] else "suppose"
    if kind == "contradiction":
        return kind if style == "search" else "short contradiction"
    if kind != "infer":
        return kind
    _, person, _, speaker, given = form
    others = " given" if any(p != speaker for p, _ in given) else ""
    if any(p == speaker for p, _ in given):
        return "infer told" + others
    if person != speaker:
        return "infer either" + others
    about_self = speaker in mentioned(puzzle.statements[speaker])
    return ("infer self" if about_self else "infer speaker") + others


def _fill(puzzle: Puzzle, key: str, form: Form) -> str:
    names, roles = puzzle.names, puzzle.roles
    language = language_of(roles)
    template, words = TEMPLATES[language][key], {}
    kind = form[0]
    if kind == "conclude":
        words["given"] = _list(puzzle, list(enumerate(form[1])), IS[language])
    elif len(form) > 1:
        person, role = form[1], form[2] if len(form) > 2 else True
        if kind == "contradiction":
            role = not role
        words |= {
            "who": names[person],
            "role": role_text(roles, role),
            "other": role_text(roles, not role),
        }
        speaker = form[3] if kind == "infer" else person
        truth = form[2] if kind in ("check", "contradiction") else role
        if kind == "infer":
            given = [(p, r) for p, r in form[4] if p != speaker]
            its = next((r for p, r in form[4] if p == speaker), True)
            truth = its if key.startswith("infer told") else role
            words |= {
                "speaker": names[speaker],
                "its": role_text(roles, its),
                "given": _list(puzzle, given, A_KNOWN[language]),
            }
        words |= {
            "truth": TRUTH[language][truth],
            "untruth": TRUTH[language][not truth],
            "claim": _claim(puzzle, speaker),
        }
    return template.format(**words)


def _claim(puzzle: Puzzle, speaker: int) -> str:
    statement, roles = puzzle.statements[speaker], puzzle.roles
    grammar = WORDING_CHINESE if language_of(roles) == "zh" else WORDING_ENGLISH
    return clause(statement, grammar, roles).format(*puzzle.names)


def _list(puzzle: Puzzle, known: Sequence[Sequence[Any]], each: str) -> str:
    items = [each.format(puzzle.names[p], role_text(puzzle.roles, r)) for p, r in known]
    return "，".join(items) if language_of(puzzle.roles) == "zh" else listed(items)


# --- texts to forms --------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _patterns(roles: Roles, longest: int) -> dict[str, re.Pattern[str]]:
    """A regular expression per template, the longest first.

    Names are any text of at most `longest` characters, and looked up later: a few patterns serve
    all puzzles.
    """
    language = language_of(roles)
    what = "|".join(re.escape(role_text(roles, role)) for role in (True, False))
    groups = dict.fromkeys(("role", "other", "its"), what)
    groups |= dict.fromkeys(("who", "speaker"), f".{{1,{longest}}}?")
    groups |= dict.fromkeys(("truth", "untruth"), "|".join(TRUTH[language]))
    patterns = {}
    for key, template in sorted(TEMPLATES[language].items(), key=lambda item: -len(item[1])):
        pattern = ""
        for text, slot in re.findall(r"([^{]*)(?:\{(\w+)\})?", template):
            pattern += re.escape(text)
            if slot:
                known = f"(?P<{slot}>" in pattern
                group = f"(?P<{slot}>{groups.get(slot, '.+?')})"
                pattern += f"(?P={slot})" if known else group
        patterns[key] = re.compile(pattern)
    return patterns


def _read(puzzle: Puzzle, key: str, words: dict[str, str], line: str) -> Form | None:
    """The form of a line that fits a template; None if it speaks of others than these people."""
    names, roles = puzzle.names, puzzle.roles
    language = language_of(roles)
    kind = "assume" if key.endswith("suppose") else key.split()[-1 if "short" in key else 0]
    given = _read_list(puzzle, words.get("given", ""), IS if kind == "conclude" else A_KNOWN)
    if given is None or any(words[who] not in names for who in ("who", "speaker") if who in words):
        return None

    form: Form = [kind]
    if kind == "conclude":
        if len(given) != len(names):
            return ["garbled"]
        form.append([role for _, role in given])
    elif "who" in words:
        form.append(names.index(words["who"]))
        if kind in ("check", "contradiction"):
            form.append(words["truth"] == TRUTH[language][True])
        elif kind != "back":
            form.append(words["role"] == role_text(roles, True))
    if kind == "infer":
        speaker = names.index(words.get("speaker") or words["who"])
        premises = [[speaker, words["its"] == role_text(roles, True)]] if "its" in words else []
        form += [speaker, premises + given]
    return form if _fill(puzzle, key, form) == line else ["garbled"]


def _read_list(puzzle: Puzzle, text: str, each: dict[str, str]) -> list[list[Any]] | None:
    """[[person, role], ...] of "Ben a knave and Cleo a knight"; None if it is no such list."""
    language = language_of(puzzle.roles)
    items = {
        each[language].format(name, role_text(puzzle.roles, role)): (person, role)
        for person, name in enumerate(puzzle.names)
        for role in (True, False)
    }
    longest_first = sorted(items, key=len, reverse=True) if text else []
    pairs: list[list[Any]] = []
    while text:
        item = next((item for item in longest_first if text.startswith(item)), None)
        if item is None:
            return None
        pairs.append(list(items[item]))
        text = text[len(item) :]
        between = next((mark for mark in ("，", ", ", " and ") if text.startswith(mark)), "")
        text = text[len(between) :]
    return pairs

r"""Reads who is what out of a free answer, sentence by sentence, and says why when it cannot.

An answer must commit. One that hedges, asks, sets conditions, reports what others say or takes it
all back is no answer, wherever in a sentence about the people it does so. So the reader never
guesses: a sentence it does not understand makes the answer unreadable, not right by accident.

Within a sentence it goes from left to right and keeps a *subject* (people who wait for a role) and a
*heading* (a role that waits for people):

    "Zoey and Ava are knights, Leo a knave"    people, then their role
    "Knights: Zoey, Oliver. Knaves: Ava"       a heading, then its people
    "## Knights\n- Zoey\n- Oliver"             a heading for the lines that follow
    "### Zoey\nKnight"                         people for the line that follows
    "all others are knaves"                    a quantifier instead of people

The letters are the kinds of `lexicon`. Everything takes linear time.
"""

import re
from functools import lru_cache

from swr1.verifiers.roles.grid import untabled
from swr1.verifiers.roles.lexicon import Lexicon, Sentence
from swr1.verifiers.roles.marks import settle, unstruck

BOTH = 2  # somebody was given two different roles

# "(1) Zoey is a knight, (2) Oliver: knave": everybody with a role at once.
_EACH = re.compile(r"(?:[w#,&]*P[C:]?w*R)+[w,]*")
# Sentences that only name people, only a role, only roles, or one or two words of something else.
_PEOPLE = re.compile(r"[w#:,&h]*P[Pw#:,&C]*")
_HEADING = re.compile(r"[w#:,C]*[Rr][w#:,C]*")
_ROLES = re.compile(r"[w#:,C]*[Rr](?:[w#:,]+[Rr])*[w#,]*")
_SHORT = re.compile(r"[w#:,]*\?[w#:,]*\??[w#:,]*")
# "Zoey, Oliver: knight, knave", which pairs off; with "and" it would say no such thing.
_PAIRED = re.compile(r"[w#:,]*P(?:[w#]*,[w#]*P)+[w#]*:[w#:]*R(?:[w#]*,[w#]*R)+[w#,]*")
_NEW_HEADING = re.compile(r"[w#]*[C:>][w#:,]*P")
_IS_SHE = re.compile(r"[#:]*Cw*P")
_HAS_ROLE = re.compile(r"w*[Rr]")
_TICKED = re.compile(r"[ju]?[w:>C]*P[w:>C]*[ju]?")
_ECHO = re.compile(r"=(w*P(?:w*[,&]+w*P)*)(?!w*[CRr:>])")
_SLASH = re.compile(r"[Rr]w*/w*[Rr]")

_TAINTS = {
    "O": "hedge",
    "H": "hedge",
    "I": "conditional",
    "S": "reported",
    "D": "negated",
    "U": "unclear",
}


class Reading:
    """What an answer says. `roles[i]` is 0 or 1 for person i, BOTH, or None when not said;
    `faults` are reasons, by code, why the answer as a whole cannot be read."""

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self.roles: list[int | None] = [None] * lexicon.people
        self.faults: list[str] = []
        self.last: list[int] = []  # whom "she" means
        self._people: list[int] = []  # named by lines alone, waiting for a line with a role
        self._heading: int | None = None  # a line alone, for the lines of people that follow
        self._assigned = False  # whether they have got one
        self._last_role: int | None = None
        text, (written, faults) = untabled(unstruck(text, lexicon), lexicon)
        sentences, more = settle(lexicon.sentences(text))
        self.faults += [*faults, *more]
        for person, role in written:
            self.give([person], role)
        for sentence in sentences:
            self._take(sentence)
        if BOTH in self.roles:
            self.faults.append("contradiction")
        elif None in self.roles:
            self.faults.append("missing")

    def give(self, people: list[int], role: int) -> None:
        for person in people:
            known = self.roles[person]
            self.roles[person] = role if known in (None, role) else BOTH
        self.last, self._last_role = people, role

    def _take(self, sentence: Sentence) -> None:
        kinds, values = sentence.kinds, sentence.values
        if not sentence.is_question and (pairs := _pairs(kinds)):  # most sentences, and quickly
            self._people, self._heading = [], None
            for person, role in pairs:
                self.give([values[person]], values[role])
            return
        people = "P" in kinds
        roles = "R" in kinds or "r" in kinds
        if "=" in kinds:
            sentence = self._echoed(sentence)
            kinds, values, roles = sentence.kinds, sentence.values, "R" in sentence.kinds
        if fault := _taint(sentence, people, roles):
            # Without people it only repeats the puzzle: "Each is a knight or a knave."
            if people or not roles:
                self.faults.append(fault)
            return
        if people and not roles and ("j" in kinds or "u" in kinds):
            self._listed(kinds, values)
        elif people and not roles and _PEOPLE.fullmatch(kinds):
            named = [v for k, v in zip(kinds, values, strict=True) if k == "P"]
            if self._heading is None:
                self._people = named if self._assigned else self._people + named
                self._assigned = False
            else:
                self.give(named, self._heading)
        elif people or roles:
            waiting, self._people, self._heading, self._assigned = self._people, [], None, False
            if not people and waiting and _ROLES.fullmatch(kinds):
                self._give_line(waiting, sentence)
                if sentence.keyed:
                    self._people, self._assigned = waiting, True  # "knave: false" may follow
            elif not people and sentence.keyed:
                self.faults.append("unclear")
            elif not people and _HEADING.fullmatch(kinds):
                self._heading = next(v for k, v in zip(kinds, values, strict=True) if k in "Rr")
            elif "V" in kinds or _PAIRED.fullmatch(kinds):
                self._pair_off(sentence)
            else:
                self._walk(sentence)
        elif self._heading is not None and _SHORT.fullmatch(kinds):
            self.faults.append("stranger")  # one more line under "Knights:", nobody we know

    def _listed(self, kinds: str, values: list[int]) -> None:
        """Names with a yes or no each, which is about the heading."""
        for match in _TICKED.finditer(kinds):
            person = values[match.start() + match[0].index("P")]
            if self._heading is not None:
                self.give([person], self._heading ^ ("u" in match[0]))
            elif "u" in match[0]:
                self.faults.append("negated")
            else:
                self._people.append(person)

    def _echoed(self, sentence: Sentence) -> Sentence:
        """The sentence with "so is Ava" replaced by "Ava: " and the role before."""
        kinds, values = sentence.kinds, sentence.values
        written, numbers, at = "", [], 0
        role, denied = self._last_role, False
        for match in _ECHO.finditer(kinds):
            for i in range(at, match.start()):
                role = values[i] if kinds[i] in "Rr" else role
                denied = denied or kinds[i] in "NZoD"
            written += kinds[at : match.start()]
            numbers += values[at : match.start()]
            at = match.end()
            if role is None or denied:
                written, numbers = written + "U", [*numbers, 0]
            else:
                written += f",{match[1]}:R"
                numbers += [0, *values[match.start() + 1 : at], 0, role]
        written, numbers = written + kinds[at:], numbers + values[at:]
        return sentence._replace(kinds=written.replace("=", "U"), values=numbers)

    def _give_line(self, waiting: list[int], sentence: Sentence) -> None:
        """Roles on a line of their own, for the people of the lines before."""
        roles = [(k, v) for k, v in zip(*sentence[:2], strict=True) if k in "Rr"]
        if sentence.keyed and len(waiting) == 1:
            for _, role in roles:
                self.give(waiting, role)
        elif len(roles) == 1 and (len(waiting) == 1 or roles[0][0] == "r"):
            self.give(waiting, roles[0][1])
        elif len(roles) == len(waiting):
            for person, (_, role) in zip(waiting, roles, strict=True):
                self.give([person], role)
        else:
            self.faults.append("unclear")

    def _pair_off(self, sentence: Sentence) -> None:
        """Give the people their roles in order, if there are as many roles as people."""
        pairs = list(zip(*sentence[:2], strict=True))
        people = [v for k, v in pairs if k == "P"]
        roles = [v for k, v in pairs if k in "Rr"]
        if len(people) != len(roles) or set(sentence.kinds) & set("NZAEBT?"):
            self.faults.append("unclear")
            return
        for person, role in zip(people, roles, strict=True):
            self.give([person], role)

    def _walk(self, sentence: Sentence) -> None:
        try:
            _Walk(self, sentence)
        except _Unreadable as reason:
            self.faults.append(str(reason))

    def everyone(self, quantifier: str) -> list[int]:
        """Whom "all", "both" or "the others" mean."""
        people = [i for i, role in enumerate(self.roles) if quantifier != "T" or role is None]
        none_left = not people or (quantifier == "T" and len(people) == len(self.roles))
        if none_left or (quantifier == "B" and len(people) != 2):
            raise _Unreadable("unclear")
        return people


@lru_cache(maxsize=4096)
def _pairs(kinds: str) -> list[tuple[int, int]]:
    """The places of person and role in a sentence that gives everybody one; else nothing."""
    if not _EACH.fullmatch(kinds):
        return []
    places = [at for at, kind in enumerate(kinds) if kind in "PR"]
    return list(zip(places[::2], places[1::2], strict=True))


def _taint(sentence: Sentence, people: bool, roles: bool) -> str | None:
    """The reason why a sentence states nothing, if there is one."""
    kinds = sentence.kinds
    for kind, fault in _TAINTS.items():
        if kind in kinds and not (kind == "S" and not roles):
            return fault
    if "/" in kinds and _SLASH.search(kinds):
        return "hedge"
    if roles and (sentence.is_question or "Q" in kinds or _IS_SHE.match(kinds)):
        return "question"
    if "N" in kinds and not people and not roles:
        return "negated"  # "Not!"
    return None


class _Unreadable(Exception):
    """The code of the reason."""


class _Walk:
    """One sentence with people, or with roles that are not a mere heading, read left to right."""

    def __init__(self, reading: Reading, sentence: Sentence) -> None:
        self.reading = reading
        self.kinds = sentence.kinds
        self.subject: list[int] = []  # the latest people
        self.waiting = False  # whether they still wait for a role
        self.heading: int | None = None  # a role that waits for people
        self.bare = self.void = False  # heading without "is" or ":" yet; several in a row
        self.stranger = False  # the subject is nobody we know
        self.negative = False
        self.neither = self.neither_done = False
        self.quantifier = ""
        self.nobody = False  # "nobody is a knight" was said
        self._forget()
        for at, (kind, value) in enumerate(zip(*sentence[:2], strict=True)):
            if step := _STEPS.get(kind):
                step(self, kind, value, at)
        self._close()
        if self.negative:
            raise _Unreadable("negated")
        if self.nobody and self.waiting:
            raise _Unreadable("unclear")  # "Nobody is a knight: Zoey, Oliver"

    def _forget(self) -> None:
        """What counts only since the latest person or role."""
        self.linked = self.separated = self.counted = self.pronoun = False
        self.unknown = False  # a word that is neither grammar nor a known name

    def _close(self) -> None:
        """The end of a heading's people, or of a sentence."""
        if self.heading is None or self.void:
            return
        if self.waiting:
            self.reading.give(self.subject, self.heading)
            self.waiting = False
        elif self.quantifier in ("A", "B", "T"):
            self.reading.give(self.reading.everyone(self.quantifier), self.heading)
        elif self.heading_kind == "R" and self.bare:
            raise _Unreadable("stranger")  # "| Bob | knave |"

    def _person(self, kind: str, person: int, at: int) -> None:
        if self.negative:
            raise _Unreadable("negated")  # "it is not so that Zoey ...", "not Zoey but ..."
        if self.waiting and self.unknown and self.separated:
            raise _Unreadable("stranger")  # "Zoey, Bob and Oliver"
        if self.subject and not self.waiting and self.heading is None:
            aside = self.unknown and not self.separated  # "is a knight beside Oliver"
            inverted = self.linked and not _HAS_ROLE.match(self.kinds, at + 1)  # "so is Oliver"
            if aside or inverted:
                raise _Unreadable("unclear")
        if self.void:
            self.heading, self.void = None, False
        if not self.waiting:
            self.subject, self.waiting = [], True
            if self.neither_done:
                self.neither = self.neither_done = False
        if person not in self.subject:
            self.subject.append(person)
        self.stranger, self.quantifier, self.bare = False, "", False
        self._forget()

    def _link(self, kind: str, value: int, at: int) -> None:
        if kind == ">" and not self.waiting and self.heading is None and self.subject:
            raise _Unreadable("conditional")  # "Zoey is a knight -> Oliver is a knave"
        if self.unknown:
            if self.waiting and (self.separated or self.linked):
                raise _Unreadable("stranger")  # "Zoey and Bob are", "Zoey's brother is"
            if not self.waiting:
                self.stranger, self.counted = True, False
        self.linked, self.unknown, self.bare = True, False, False

    def _separate(self, kind: str, value: int, at: int) -> None:
        self.separated = True
        if not self.waiting:
            self.unknown = False
            if self.heading is None:
                self.linked = self.stranger = False

    def _negate(self, kind: str, value: int, at: int) -> None:
        if kind == "Z":
            self.neither = True
        else:
            self.negative = not self.negative

    def _quantify(self, kind: str, value: int, at: int) -> None:
        if self.waiting:
            if kind == "T":
                raise _Unreadable("unclear")  # "Zoey and the others"
            return  # "Zoey and Oliver are both ..."
        if self.bare:
            self.heading = None  # "one knight, and the others": it was only counted
        if kind == "T" and self.quantifier == "E":
            self.negative = not self.negative  # "none of the others"
        if self.quantifier != "T":
            self.quantifier = kind
        self.counted = False

    def _note(self, kind: str, value: int, at: int) -> None:
        if kind == "h":
            self.pronoun, self.counted = True, False
        elif kind != "?":  # "2 knights", "no knights", "there are knights"
            self.counted = not self.quantifier  # "all three" counts nothing
        else:
            self.unknown, self.counted = True, False
            if self.heading is not None and not self.bare and not self.void:
                raise _Unreadable("stranger")  # "Knights: Zoey, Bob"

    def _role(self, kind: str, role: int, at: int) -> None:
        stated = role ^ self.negative ^ self.neither
        reading, heads = self.reading, _NEW_HEADING.match(self.kinds, at + 1)
        if self.waiting and self.heading is not None and (heads or not self.linked):
            if not heads and not self.separated:
                raise _Unreadable("unclear")  # "knight Zoey knave Oliver"
            self._close()
            self._head(kind, stated)
        elif self.waiting:
            stated ^= self.kinds[at - 1] == "o"  # "is no knight"
            if self.unknown and not self.linked:
                raise _Unreadable("stranger")  # "Zoey, Bob knights"
            if kind == "r" and len(self.subject) == 1 and "?" in self.kinds[:at]:
                raise _Unreadable("stranger")  # "Bob, Zoey are knights"
            reading.give(self.subject, stated)
            self.waiting, self.heading, self.neither_done = False, None, self.neither
        elif self.counted or (heads and not self.stranger and self.quantifier != "E"):
            self._close()
            self._head("r", stated)  # "2 knights": counts need no people
        elif self.stranger:
            raise _Unreadable("stranger")  # "Bob is a knight"
        elif self.heading is not None:
            if self.unknown or not self.bare:
                self._close()
            self._head(kind, stated)
        elif self.quantifier and self.linked:
            if self.quantifier in "AB" and self.negative:
                raise _Unreadable("unclear")  # "not all are knights"
            none = self.nobody = self.quantifier == "E"
            reading.give(reading.everyone(self.quantifier), stated ^ none)
        elif self.neither and not self.neither_done and not self.subject:
            reading.give(reading.everyone("B"), stated)  # "neither is a knight"
            self.neither_done = True
        elif self.subject:
            if self.unknown and not self.linked:
                raise _Unreadable("stranger")  # "Zoey is a knight, Bob knave"
            reading.give(self.subject, stated)  # "Zoey is a knight, not a knave"
            self.neither_done = self.neither
        elif self.pronoun:
            if not reading.last:
                raise _Unreadable("unclear")
            reading.give(reading.last, stated)
        else:
            self._head(kind, stated)
        self.negative, self.quantifier = False, ""
        self._forget()

    def _head(self, kind: str, role: int) -> None:
        self.void = self.heading is not None and self.bare  # "the knights and knaves"
        self.heading, self.heading_kind, self.bare = role, kind, True


_STEPS = {
    **dict.fromkeys("P", _Walk._person),
    **dict.fromkeys("Rr", _Walk._role),
    **dict.fromkeys("C:>", _Walk._link),
    **dict.fromkeys(",&/", _Walk._separate),
    **dict.fromkeys("NZ", _Walk._negate),
    **dict.fromkeys("AEBT", _Walk._quantify),
    **dict.fromkeys("#oth?", _Walk._note),
}

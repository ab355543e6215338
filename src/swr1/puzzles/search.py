"""The plain depth-first search for a puzzle's solution, as a person would do it on paper.

for event in search(statements): ...

It is here once, without words: reasoning traces narrate its events, and a puzzle's difficulty
counts them.
"""

from collections.abc import Iterator, Sequence

from swr1.puzzles.statements import Statement, evaluate, mentioned

Event = tuple  # see `search`


def search(statements: Sequence[Statement]) -> Iterator[Event]:
    """Assume a role, check what it settles, go back on a contradiction; yields as it goes

        ("assume", person, role)     role True: tells the truth; True is tried before False
        ("conflict", person, truth)  their statement comes out as `truth`, and their role does not
        ("back", person)             neither role works; the one assumed before is revised
        ("solved",)                  everyone has a role and nothing contradicts: the last event

    Next comes somebody named by those already placed (the earliest placed first, in the order of
    their words), else the first person still open. A statement counts once its speaker is placed
    and `evaluate` settles it; of several that contradict, the event names the one placed earliest.
    After the last ("back", ...) without a ("solved",) no world fits. Statements must be valid.
    """
    named = [mentioned(s) for s in statements]
    # Only these people's words can newly contradict once somebody is placed.
    concerned = [
        {p} | {q for q, people in enumerate(named) if p in people} for p in range(len(named))
    ]
    roles: list[bool | None] = [None] * len(statements)
    order: list[int] = []  # those placed so far
    while len(order) < len(statements):
        person = next((q for p in order for q in named[p] if roles[q] is None), -1)
        person = roles.index(None) if person < 0 else person
        order.append(person)
        role = True
        while True:
            roles[person] = role
            yield ("assume", person, role)
            for p in order:
                if p in concerned[person]:
                    truth = evaluate(statements[p], roles)
                    if truth is not None and truth != roles[p]:
                        yield ("conflict", p, truth)
                        break
            else:
                break  # nothing contradicts: on to the next person
            while not roles[person]:  # both roles have been tried
                roles[person] = None
                order.pop()
                yield ("back", person)
                if not order:
                    return
                person = order[-1]
            role = False
    yield ("solved",)

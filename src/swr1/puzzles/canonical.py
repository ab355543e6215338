"""When two puzzles are the same puzzle: canonical form up to names and order, and the data split.

Two puzzles are the same when one turns into the other by renaming (renumbering) the people,
giving their statements in another order, and swapping the parts of "and", "or" and "iff".
`canonical_form` is exact: equal forms if and only if the same puzzle. `split_of` sends a puzzle to
"train" or "test" by a hash that all variants of it share, so no variant can be in both.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from swr1.puzzles.statements import COMMUTATIVE, LEAVES, Statement, as_tuples, mentioned

SPLITS = ("train", "test")
# 2 people have only 95 puzzles up to names and order; with this salt their shares come out near the
# requested ones (0.1 -> 42 of 399, 0.2 -> 84, 0.3 -> 119, 0.5 -> 205). Part of what a split means.
SALT = (2206).to_bytes(2, "little")


def _map_people(statement: Statement, new: Any) -> tuple:
    """The statement with person i replaced by new[i] and commutative parts in sorted order."""
    kind = statement[0]
    if kind in LEAVES:
        return (kind, new[statement[1]])
    parts = [_map_people(s, new) for s in statement[1:]]
    if kind in COMMUTATIVE:
        parts.sort()
    return (kind, *parts)


def canonical_form(statements: Sequence[Statement]) -> tuple:
    """The same tuple of statements for all variants of a puzzle, and for no other puzzle.

    Colour refinement distinguishes most people by what they say and who speaks of them. The search
    tries each person who is still like another as the first (individualisation and refinement,
    McKay, "Practical graph isomorphism", 1981), and the smallest outcome wins. Symmetry is used
    twice: people whose swap changes nothing need one try only, and when an outcome comes again,
    everything since its path left the earlier one is symmetric and not searched.
    About 0.2 ms at 8 people and 1 ms at 20; symmetric puzzles take up to 100 times that.
    """
    people = range(len(statements))
    outcomes: dict[tuple, list[int]] = {}  # form -> the people tried as the first, on the way to it

    def relabelled(new: Sequence[int]) -> tuple:
        renamed: list[tuple] = [()] * len(new)
        for speaker, statement in enumerate(statements):
            renamed[new[speaker]] = _map_people(statement, new)
        return tuple(renamed)

    def swap_changes_nothing(p: int, q: int) -> bool:
        new = list(people)
        new[p], new[q] = q, p
        return relabelled(new) == unchanged

    def search(colours: list[int], path: list[int]) -> int:
        """Searches all below; returns the depth to go back to when nothing new is left there."""
        colours = _refine(statements, colours)
        classes: dict[int, list[int]] = {}
        for person, colour in enumerate(colours):
            classes.setdefault(colour, []).append(person)
        alike = [classes[colour] for colour in sorted(classes) if len(classes[colour]) > 1]
        if not alike:
            earlier = outcomes.setdefault(relabelled(colours), path)
            steps = enumerate(zip(path, earlier, strict=False))
            return next((depth for depth, (p, q) in steps if p != q), len(path))
        tried: list[int] = []
        for person in alike[0]:
            if not any(swap_changes_nothing(person, other) for other in tried):
                tried.append(person)
                # A colour of its own, just below that of the people it was like.
                below = [2 * c - (p == person) for p, c in enumerate(colours)]
                if (depth := search(below, [*path, person])) < len(path):
                    return depth
        return len(path)

    unchanged = relabelled(people)
    search([0] * len(statements), [])
    return min(outcomes)


def _refine(statements: Sequence[Statement], colours: list[int]) -> list[int]:
    """Colours split until stable: by one's own words, and by the words of those who name one.

    Colours come back as ranks (the same ones for every variant of the puzzle), 0 .. people-1,
    each the number of people with a smaller colour.
    """
    people = range(len(statements))
    while True:
        # What each person is, and how each person's words look to themselves and to those named.
        views: list[list[tuple]] = [[] for _ in people]
        for speaker, statement in enumerate(statements):
            for seen_by in {speaker, *mentioned(statement)}:
                marks = [(c, p == speaker, p == seen_by) for p, c in enumerate(colours)]
                views[seen_by].append((seen_by != speaker, _map_people(statement, marks)))
        keys = [(colours[p], sorted(views[p])) for p in people]
        ordered = sorted(keys)
        new = [ordered.index(key) for key in keys]
        if len(set(new)) == len(set(colours)):
            return new
        colours = new


def canonical_key(statements: Sequence[Statement]) -> str:
    """A 128-bit hex digest of the canonical form."""
    return blake2b(repr(canonical_form(statements)).encode(), digest_size=16).hexdigest()


def split_of(statements: Sequence[Statement], test_share: float = 0.1) -> str | None:
    """ "train", "test" or neither; the same for all variants of a puzzle, whatever its seed.

    A hash sends half of all puzzles to training. The test split is the `test_share` of all, at most
    0.5, at the far end of the other half: a larger share only adds to it, and what is "train" under
    one share is "test" under none. The hash sees the people in a statement only as "the speaker" or
    "somebody else", and ignores the order of statements; it is thus coarser than the canonical form
    (the two splits differ in more than names and order) and takes microseconds.
    """
    total = hash_sum(tuple(as_tuples(s) for s in statements))
    return next((split for split in SPLITS if in_split(total, split, test_share)), None)


def in_split(total: int, split: str, test_share: float) -> bool:
    """Whether a puzzle with this sum of hashes is of the split; see `split_of`."""
    return total < test_share * (1 << 64) if split == "test" else total >= 1 << 63


def hash_sum(statements: tuple[tuple, ...]) -> int:
    """The 64 bits by which a puzzle (as tuples) is sent to a split; see `split_of`."""
    return sum([shape_hash(s, speaker) for speaker, s in enumerate(statements)]) & (1 << 64) - 1


def puzzle_code(statements: tuple[tuple, ...]) -> int:
    """64 bits that differ between any two puzzles (as tuples, names and order included)."""
    return sum([_statement_hash(s, i) for i, s in enumerate(statements)]) & (1 << 64) - 1


@lru_cache(maxsize=1 << 16)
def _statement_hash(statement: tuple, speaker: int) -> int:
    return _hash64((speaker, statement))


@lru_cache(maxsize=1 << 16)
def shape_hash(statement: tuple, speaker: int) -> int:
    """64 bits of a statement's shape, in which a person is the speaker or somebody else."""
    people = max(mentioned(statement)) + 1
    shape = _map_people(statement, [int(i == speaker) for i in range(people)])
    return _hash64(shape)


def _hash64(thing: tuple) -> int:
    digest = blake2b(repr(thing).encode(), digest_size=8, salt=SALT).digest()
    return int.from_bytes(digest, "little")

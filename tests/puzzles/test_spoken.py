"""Puzzles as a person types them, for `swr1 solve --text`."""

import pytest

from swr1.errors import DataError
from swr1.puzzles.solver import solve
from swr1.puzzles.spoken import read_spoken


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("Zoe says that Leo is a liar. Leo says we are both knights.", (True, False)),
        (
            "Al says Bo isn't a liar. Bo says that Al tells the truth and I'm a liar.",
            (False, False),
        ),
        (
            'Ann said: "Bob is lying."\nBob said, "I am a knight and Ann is a knight."',
            (True, False),
        ),
        (
            "A says: B and C are the same. B says A is a knave. C says A and B are both knaves.",
            None,
        ),
        ("Ann says that Bob and I are both truth-tellers. Bob says Ann is a knave.", (False, True)),
        ("Ann says Bo and I are of the same kind. Bo says that Ann is a knave.", (False, True)),
        ("Ann says Bo is the same kind as me. Bo says that Ann is a knave.", (False, True)),
        ("Leo says Mia is a different type than me. Mia says Leo is a knight.", (False, False)),
        ("Leo says we are different. Mia says that Leo is a knight.", (False, False)),
    ],
)
def test_what_people_say_is_solved(text, roles):
    names, pair, statements = read_spoken(text)
    assert (pair.truth, pair.liar) == ("knight", "knave")
    worlds = solve(statements, most=4).worlds
    assert worlds and all(len(world) == len(names) for world in worlds)
    if roles is not None:
        assert worlds == [roles]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hello.", "no puzzle in it"),
        ("Zoe says that Mia is a liar.", "statement of Zoe"),
        ("Zoe says that Leo is of the same kind. Leo says I am a liar.", 'what is read: "Leo is'),
        ("Zoe says Zoe is a knave or so. Leo is tall.", "sentence not understood: .*Leo is tall"),
        ("Zoe says Leo is a knave. Leo says I am tall.", "statement of Leo"),
        (
            "Zoe says Leo is a knave. Leo says I am a knight. Zoe says I am a knight.",
            "listed twice",
        ),
    ],
)
def test_what_is_not_understood_is_named(text, told):
    with pytest.raises(DataError, match=told):
        read_spoken(text)

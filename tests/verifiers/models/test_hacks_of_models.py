"""The hackers' tables of safety, value, helpful and knowledge in docs/verifiers.md."""

from collections import Counter
from pathlib import Path

import pytest

from tests.verifiers.models.model_hacks import HACKS

PAGE = Path(__file__).parents[3] / "docs" / "verifiers.md"


@pytest.mark.parametrize("hack", HACKS, ids=lambda h: f"{h.verifier}: {h.what}")
def test_what_it_gets(hack):
    score = hack.score()
    assert score is None if hack.gets is None else score == pytest.approx(hack.gets, abs=5e-4)


def test_ten_for_each_and_all_in_the_page():
    assert min(Counter(hack.verifier for hack in HACKS).values()) >= 10
    assert len({(h.verifier, h.what) for h in HACKS}) == len(HACKS)
    page = PAGE.read_text()
    for hack in HACKS:
        assert hack.row() in page

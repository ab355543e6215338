"""The hackers' table of docs/verifiers.md: each row gets the score that it says."""

from collections import Counter
from pathlib import Path

import pytest

from tests.verifiers.hacks import FIELDS, HACKS

PAGE = Path(__file__).parent.parent.parent / "docs" / "verifiers.md"


@pytest.mark.parametrize("hack", HACKS, ids=lambda h: f"{h.verifier}: {h.what}")
def test_what_it_gets(hack):
    score = hack.score()
    assert score is None if hack.gets is None else score == pytest.approx(hack.gets, abs=5e-4)


def test_ten_for_each_verifier_and_all_in_the_page():
    counts = Counter(hack.verifier for hack in HACKS)
    assert min(counts[name] for name in FIELDS) >= 10
    page = PAGE.read_text()
    for hack in HACKS:
        assert hack.row() in page

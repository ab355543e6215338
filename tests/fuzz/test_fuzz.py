"""Hostile input through the whole command line; `python -m tests.fuzz.running -n 5000` for more."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.cases import cases
from tests.fuzz.running import run, warm_up

FEW = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=3000)


@pytest.fixture(scope="module", autouse=True)
def warm():
    warm_up()


def ends_as_it_may(case) -> None:
    folder = Path(tempfile.mkdtemp(prefix="swr1-fuzz-"))
    try:
        case.write(folder)
        end = run(case.line, case.stdin, folder)
        assert end.trouble is None, f"swr1 {' '.join(end.line)}: {end.trouble}\n{end.stderr}"
    finally:
        shutil.rmtree(folder)


@FEW
@given(cases())
def test_a_few(case):
    ends_as_it_may(case)


@pytest.mark.slow
@MANY
@given(cases())
def test_many(case):
    ends_as_it_may(case)

"""The claims about RL: wrong values end at once; the smoke profile goes through every part, and again."""

import os
import subprocess

import pytest

from tests.conftest import SWR1
from tests.recipes.conftest import RECIPES

RECIPE = RECIPES / "claims.sh"


@pytest.fixture
def claims(tmp_path):
    def run(*args, **variables):
        path = f"{os.path.dirname(SWR1)}:{os.environ['PATH']}"
        return subprocess.run(
            [str(RECIPE), *args],
            env=os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"} | variables,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.parametrize(
    ("name", "value"),
    [("PARTS", "sizes luck"), ("PEOPLE", "3"), ("STEPS", "many"), ("START", "nowhere")],
)
def test_a_wrong_value_is_one_line(claims, tmp_path, name, value):
    done = claims("smoke", **{name: value})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"claims.sh: {name}=" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_smoke_and_again(claims, tmp_path):
    done = claims("smoke")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "claims-smoke-0"
    budget = int((run / "budget").read_text())
    for line in (run / "spent.txt").read_text().splitlines():
        name, rest = line.split(": ")
        assert name in ("shortest", "all", "careful")
        assert int(rest.split()[2]) >= 0.95 * budget, line
    memory = (run / "memorisation.txt").read_text()
    for kind in ("statement", "leaf", "names", "order", "wording", "roles"):
        assert f"\n{kind}\n" in memory
    tables = {name: (run / name).read_text() for name in ("sizes.txt", "tuning.txt")}
    again = claims("smoke")
    assert again.returncode == 0, again.stderr
    assert int((run / "budget").read_text()) == budget
    assert {name: (run / name).read_text() for name in tables} == tables
